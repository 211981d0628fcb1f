import { Hono } from "hono";
import type { BlockedListed } from "../../../answers/ops.ts";
import { isGone, isRetried } from "../../../domain/blocked.ts";
import { STREAM_KINDS } from "../../../domain/words.ts";
import { blocked } from "../../../routes/blocked/contract.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readCursor, toPage } from "../../../routes/door/cursor.ts";
import { readQuery } from "../../../routes/door/query.ts";
import { listBlocked } from "../../../store/delivery/blocked.ts";
import { page } from "../../page.tsx";
import { Action, Sent } from "../../parts/action.tsx";
import { Empty } from "../../parts/empty.tsx";
import { OwnerAnchor } from "../../parts/owner-anchor.tsx";
import { Pager } from "../../parts/table.tsx";
import { anyOf, Choice, Delivery, Filters, frameOf, Search } from "./frame.tsx";

/** `/delivery/blocked`: what stands still, why, and how it goes on. */
export const blockedPage = new Hono<AppEnv>({ strict: false });

blockedPage.get("/blocked", page("admin"), async (c) => {
  const { limit, cursor, ...filter } = readQuery(c, blocked.contracts.listBlocked.query);
  const listed = await listBlocked(c.var.relay.db, filter, readCursor(c, cursor), limit);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const title = "Blocked";
  return c.render(
    <Delivery
      at="/delivery/blocked"
      title={title}
      aside={
        <Filters>
          <Search name="model_run_id" label="Model run" value={filter.model_run_id} />
          <Choice
            name="kind"
            label="Kind"
            options={anyOf("Trials and model runs", STREAM_KINDS)}
            chosen={filter.kind ?? ""}
          />
          <Choice
            name="forgotten"
            label="Which"
            options={[
              { value: "", says: "That wait" },
              { value: "true", says: "That were given up" },
            ]}
            chosen={filter.forgotten ? "true" : ""}
          />
        </Filters>
      }
    >
      <div data-live>
        {rows.length === 0 ? (
          <Empty title="Nothing stands still">
            <p>What MLflow refuses, or has no more, would be here with its reason.</p>
          </Empty>
        ) : (
          <ul class="cards">
            {rows.map((row) => (
              <Blocked row={row} />
            ))}
          </ul>
        )}
        <Pager url={new URL(c.req.url)} next={next_cursor} />
      </div>
    </Delivery>,
    frameOf(title),
  );
});

function Blocked({ row }: { row: BlockedListed }) {
  const to =
    row.trial === null
      ? (`POST /api/ops/model-runs/${encodeURIComponent(row.model_run_id ?? "")}/unblock` as const)
      : (`POST /api/ops/trials/${row.trial}/unblock` as const);
  const about = row.trial_id ?? row.model_run_id ?? "";
  return (
    <li class="panel">
      <h2>
        <OwnerAnchor of={row} />
      </h2>
      <p class="said">{row.blocked_reason}</p>
      <p>
        <small>
          {row.undelivered_events} events wait. {whatFrees(row)}
        </small>
      </p>
      <div class="actions">
        {isGone(row.blocked_kind) && (
          <Action to={to} label="Restore" plan about={about}>
            <Sent name="action" value="restore" />
          </Action>
        )}
        <Action to={to} label="Recreate" plan about={about}>
          <Sent name="action" value="recreate" />
        </Action>
        {!row.forgotten && (
          <Action to={to} label="Give up" plan danger about={about}>
            <Sent name="action" value="forget" />
          </Action>
        )}
      </div>
    </li>
  );
}

function whatFrees({ blocked_kind: kind, forgotten }: BlockedListed): string {
  if (forgotten) return "It was given up: nothing of it goes to MLflow until it is restored or made anew.";
  if (isGone(kind)) return "It goes on by itself once that is restored in MLflow.";
  return isRetried(kind) ? "The cron goes on trying." : "It waits for you.";
}
