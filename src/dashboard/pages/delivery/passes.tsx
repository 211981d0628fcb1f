import { Hono } from "hono";
import type { CronPass } from "../../../answers/ops.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readQuery } from "../../../routes/door/query.ts";
import { ops } from "../../../routes/ops/contract.ts";
import { listPasses } from "../../../store/ops/passes.ts";
import { page } from "../../page.tsx";
import { Empty } from "../../parts/empty.tsx";
import { duration, Time } from "../../parts/time.tsx";
import { Delivery, frameOf, List } from "./frame.tsx";

/** `/delivery/passes`: what the cron found and did. */
export const passesPage = new Hono<AppEnv>({ strict: false });

passesPage.get("/passes", page("admin"), async (c) => {
  const { limit } = readQuery(c, ops.contracts.listCronPasses.query);
  const passes = await listPasses(c.var.relay.db, limit);
  const title = "Cron passes";
  return c.render(
    <Delivery at="/delivery/passes" title={title}>
      <div data-live>
        {passes.length === 0 ? (
          <Empty title="The cron has not passed yet">
            <p>
              It comes every five minutes; locally a request to wrangler has it come (see the operators'
              guide).
            </p>
          </Empty>
        ) : (
          <List columns={["Began", "Took", "Probe", "Did"]}>
            {passes.map((pass) => (
              <tr>
                <th scope="row">
                  <Time at={pass.started_at} />
                </th>
                <td>{duration(Date.parse(pass.finished_at) - Date.parse(pass.started_at))}</td>
                <td>{pass.probe}</td>
                <td class="wrap">
                  {pass.error !== null && <span class="bad">{pass.error} </span>}
                  {whatItDid(pass)}
                </td>
              </tr>
            ))}
          </List>
        )}
      </div>
    </Delivery>,
    frameOf(title),
  );
});

/** Every count that is not zero, in the words of the report. */
function whatItDid({
  started_at: _,
  finished_at: __,
  probe: ___,
  error: ____,
  next_pull_id: _____,
  ...counts
}: CronPass): string {
  const done = Object.entries(counts).filter(([, count]) => count > 0);
  return done.map(([what, count]) => `${count} ${what.replaceAll("_", " ")}`).join(", ") || "nothing to do";
}
