import { Hono } from "hono";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readCursor, toPage } from "../../../routes/door/cursor.ts";
import { flushTraces } from "../../../routes/door/note-refusal.ts";
import { readQuery } from "../../../routes/door/query.ts";
import { ops } from "../../../routes/ops/contract.ts";
import { listRefusals } from "../../../store/ops/refusals.ts";
import { page } from "../../page.tsx";
import { Empty } from "../../parts/empty.tsx";
import { Pager } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { Delivery, Filters, frameOf, List, Search } from "./frame.tsx";

/** `/delivery/refusals`: what was refused at the door, so that a trainer's owner can be told. */
export const refusalsPage = new Hono<AppEnv>({ strict: false });

refusalsPage.get("/refusals", page("admin"), async (c) => {
  const { relay } = c.var;
  const { limit, cursor, ...filter } = readQuery(c, ops.contracts.listRefusals.query);
  await flushTraces(relay);
  const listed = await listRefusals(relay.db, filter, readCursor(c, cursor), limit);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const title = "Refusals";
  return c.render(
    <Delivery
      at="/delivery/refusals"
      title={title}
      aside={
        <Filters>
          <Search name="model_run_id" label="Model run" value={filter.model_run_id} />
          <Search name="trial_id" label="Trial" value={filter.trial_id} />
        </Filters>
      }
    >
      <div data-live>
        {rows.length === 0 ? (
          <Empty title="Nothing was refused">
            <p>
              What a trainer sends and the relay does not take would be here for two weeks, with the rule that
              it breaks.
            </p>
          </Empty>
        ) : (
          <List columns={["Field", "Rule", "It held", "Of", "Times", "Last", "Token"]}>
            {rows.map((row) => (
              <tr>
                <th scope="row">
                  <code>{row.field ?? row.error}</code>
                </th>
                <td class="wrap">{row.rule}</td>
                <td class="wrap">
                  <code>{row.value}</code>
                </td>
                <td class="wrap">
                  {[row.model_run_id, row.trial_id].filter((id) => id !== null).join(" / ") || "–"}
                </td>
                <td class="number">{row.count}</td>
                <td>
                  <Time at={row.last_at} />
                </td>
                <td>
                  <code>{row.token_id}</code>
                </td>
              </tr>
            ))}
          </List>
        )}
        <Pager url={new URL(c.req.url)} next={next_cursor} />
      </div>
    </Delivery>,
    frameOf(title),
  );
});
