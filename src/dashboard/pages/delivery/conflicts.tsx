import { Hono } from "hono";
import type { Conflict } from "../../../answers/trials.ts";
import { CONFLICT_KINDS, CONFLICT_STATES, SIDES } from "../../../domain/words.ts";
import { conflicts } from "../../../routes/conflicts/contract.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readCursor, toPage } from "../../../routes/door/cursor.ts";
import { readQuery } from "../../../routes/door/query.ts";
import { listConflicts } from "../../../store/views/conflicts.ts";
import { page } from "../../page.tsx";
import { Action, Sent } from "../../parts/action.tsx";
import { Empty } from "../../parts/empty.tsx";
import { OwnerAnchor } from "../../parts/owner-anchor.tsx";
import { Pager } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { anyOf, Choice, Delivery, Filters, frameOf, Search } from "./frame.tsx";

/** `/delivery/conflicts`: what both sides said differently, side by side. */
export const conflictsPage = new Hono<AppEnv>({ strict: false });

conflictsPage.get("/conflicts", page("read"), async (c) => {
  const { limit, cursor, ...filter } = readQuery(c, conflicts.contracts.listConflicts.query);
  const listed = await listConflicts(c.var.relay.db, filter, readCursor(c, cursor), limit);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const isOneSelection = filter.model_run_id !== undefined || filter.kind !== undefined;
  const title = "Conflicts";
  return c.render(
    <Delivery
      at="/delivery/conflicts"
      title={title}
      aside={
        <Filters>
          <Search name="model_run_id" label="Model run" value={filter.model_run_id} />
          <Choice
            name="kind"
            label="About"
            options={anyOf("About anything", CONFLICT_KINDS)}
            chosen={filter.kind ?? ""}
          />
          <Choice
            name="state"
            label="State"
            options={anyOf("Open and resolved", CONFLICT_STATES)}
            chosen={filter.state ?? ""}
          />
        </Filters>
      }
    >
      <div data-live>
        {rows.length === 0 ? (
          <Empty title="No conflict">
            <p>What a trainer and MLflow, or two events, say differently would be here with both values.</p>
          </Empty>
        ) : (
          <>
            {isOneSelection && filter.state === "open" && (
              <div class="actions">
                {SIDES.map((side) => (
                  <Action
                    to="POST /api/ops/conflicts/resolve"
                    label={`Take ${NAMES[side]} for all of these`}
                    plan
                  >
                    <Sent name="take" value={side} />
                    <Sent name="filter.model_run_id" value={filter.model_run_id} />
                    <Sent name="filter.trial_id" value={filter.trial_id} />
                    <Sent name="filter.kind" value={filter.kind} />
                  </Action>
                ))}
              </div>
            )}
            <ul class="cards">
              {rows.map((row) => (
                <ConflictCard row={row} />
              ))}
            </ul>
          </>
        )}
        <Pager url={new URL(c.req.url)} next={next_cursor} />
      </div>
    </Delivery>,
    frameOf(title),
  );
});

const NAMES = { relay: "the relay's", mlflow: "MLflow's" };

/** What each side says: of a merge as it found them, else what stands and what was refused. */
function sides({ relay_value, mlflow_value, source, kept, refused }: Conflict) {
  if (relay_value !== null || mlflow_value !== null) return { relay: relay_value, mlflow: mlflow_value };
  return source === "mlflow" ? { relay: kept, mlflow: refused } : { relay: refused, mlflow: kept };
}

function ConflictCard({ row }: { row: Conflict }) {
  const values = sides(row);
  const about = `${row.field} of ${row.trial_id ?? row.model_run_id ?? row.id}`;
  return (
    <li class="panel" id={`conflict-${row.id}`}>
      <h2>
        {row.kind.replaceAll("_", " ")} <code>{row.field}</code> of <OwnerAnchor of={row} />
      </h2>
      <div class="sides">
        {SIDES.map((side) => (
          <div class={row.resolution === side ? "side taken" : "side"}>
            <small>{side === "relay" ? "Relay" : "MLflow"}</small>
            <pre>{values[side] ?? "(nothing)"}</pre>
            {row.state === "open" && (
              <Action
                to={`POST /api/ops/conflicts/${row.id}/resolve`}
                label={`Take ${NAMES[side]}`}
                about={about}
              >
                <Sent name="take" value={side} />
              </Action>
            )}
          </div>
        ))}
      </div>
      <p>
        <small>
          Found <Time at={row.created_at} />
          {row.base !== null && (
            <>
              ; both said <code>{row.base}</code> before
            </>
          )}
          {row.decision !== null && `; the policy took ${NAMES[row.decision]}`}
          {row.resolution !== null && (
            <>
              ; by hand {NAMES[row.resolution]} was taken <Time at={row.resolved_at} />
            </>
          )}
        </small>
      </p>
    </li>
  );
}
