import { Hono } from "hono";
import type { LetterListed } from "../../../answers/ops.ts";
import { ITEM_KINDS } from "../../../domain/letter-item.ts";
import { LETTER_KINDS, LETTER_STATES } from "../../../domain/words.ts";
import { deadLetters } from "../../../routes/dead-letters/contract.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readCursor, toPage } from "../../../routes/door/cursor.ts";
import { found, readQuery } from "../../../routes/door/query.ts";
import { listLetters, readLetter } from "../../../store/delivery/dead-letters.ts";
import { page } from "../../page.tsx";
import { Action, Sent } from "../../parts/action.tsx";
import { Badge, DeliveryBadge } from "../../parts/badge.tsx";
import { Empty } from "../../parts/empty.tsx";
import { OwnerAnchor } from "../../parts/owner-anchor.tsx";
import { Pager } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { anyOf, Choice, Delivery, Filters, frameOf, Json, List, Search } from "./frame.tsx";

/** `/delivery/dead-letters`: what MLflow refused for good, to be edited and sent again, or dropped. */
export const deadLettersPage = new Hono<AppEnv>({ strict: false });

const AT = "/delivery/dead-letters";

deadLettersPage.get("/dead-letters", page("admin"), async (c) => {
  const { limit, cursor, ...filter } = readQuery(c, deadLetters.contracts.listDeadLetters.query);
  const listed = await listLetters(c.var.relay.db, filter, readCursor(c, cursor), limit);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const title = "Dead letters";
  const { state, ...selection } = filter;
  return c.render(
    <Delivery
      at={AT}
      title={title}
      aside={
        <Filters>
          <Search name="model_run_id" label="Model run" value={filter.model_run_id} />
          <Search name="reason" label="Part of the reason" value={filter.reason} />
          <Choice
            name="kind"
            label="Kind"
            options={anyOf("Of any kind", LETTER_KINDS)}
            chosen={filter.kind ?? ""}
          />
          <Choice
            name="state"
            label="State"
            options={LETTER_STATES.map((word) => ({ value: word, says: word }))}
            chosen={state}
          />
        </Filters>
      }
    >
      <div data-live>
        {rows.length === 0 ? (
          <Empty title={`No ${state} dead letter`}>
            <p>
              A metric, parameter or tag that MLflow will never take would be here with MLflow's words; the
              rest goes on.
            </p>
          </Empty>
        ) : (
          <>
            {state === "open" && (
              <div class="actions">
                {(["replay", "drop"] as const).map((action) => (
                  <Action
                    to={`POST /api/ops/dead-letters/${action}`}
                    label={action === "replay" ? "Replay all of these" : "Drop all of these"}
                    plan
                    danger={action === "drop"}
                  >
                    {Object.entries(selection).map(([name, value]) => (
                      <Sent name={`filter.${name}`} value={value} />
                    ))}
                    <input type="hidden" name="filter" value="{}" data-json />
                  </Action>
                ))}
              </div>
            )}
            <List columns={["Letter", "Item", "Reason", "Of", "Since"]}>
              {rows.map((row) => (
                <LetterRow row={row} />
              ))}
            </List>
          </>
        )}
        <Pager url={new URL(c.req.url)} next={next_cursor} />
      </div>
    </Delivery>,
    frameOf(title),
  );
});

function LetterRow({ row }: { row: LetterListed }) {
  return (
    <tr>
      <th scope="row">
        <a href={`${AT}/${row.id}`}>
          {row.kind} {row.id}
        </a>
      </th>
      <td class="wrap">
        <Json value={row.item} />
      </td>
      <td class="wrap">{row.reason}</td>
      <td>
        <OwnerAnchor of={row} />
      </td>
      <td>
        <Time at={row.created_at} />
      </td>
    </tr>
  );
}

deadLettersPage.get("/dead-letters/:id{\\d{1,15}}", page("admin"), async (c) => {
  const id = c.req.param("id");
  const { view } = found(await readLetter(c.var.relay.db, Number(id)), `dead letter ${id}`);
  const title = `Dead letter ${id}`;
  const canBeEdited = ITEM_KINDS.some((kind) => kind === view.kind);
  const item = JSON.stringify(view.item, null, 2);
  return c.render(
    <Delivery at={AT} title={title} aside={<Badge word={view.state} />}>
      <section class="panel">
        <dl class="facts">
          <dt>Kind</dt>
          <dd>{view.kind}</dd>
          <dt>Of</dt>
          <dd>
            <OwnerAnchor of={view} /> {view.delivery && <DeliveryBadge of={view.delivery} />}
          </dd>
          <dt>MLflow said</dt>
          <dd>
            {view.mlflow_status !== null && `${view.mlflow_status} ${view.mlflow_code ?? ""}: `}
            {view.reason}
          </dd>
          <dt>Since</dt>
          <dd>
            <Time at={view.created_at} />
          </dd>
          <dt>Settled</dt>
          <dd>
            <Time at={view.settled_at} />
          </dd>
        </dl>
      </section>
      <section class="panel">
        <h2>Item</h2>
        {view.state === "replayed" ? (
          <pre class="json">{item}</pre>
        ) : (
          <>
            <Action
              to={`POST /api/ops/dead-letters/${view.id}/replay`}
              label={canBeEdited ? "Replay as it stands here" : "Replay"}
            >
              {canBeEdited ? (
                <textarea
                  name="item"
                  data-json
                  rows={item.split("\n").length + 1}
                  spellcheck={false}
                  aria-label="Item as JSON"
                >
                  {item}
                </textarea>
              ) : (
                <pre class="json">{item}</pre>
              )}
            </Action>
            {view.state === "open" && (
              <Action
                to={`POST /api/ops/dead-letters/${view.id}/drop`}
                label="Drop"
                danger
                ask="It will not go to MLflow. It can be replayed until it is forgotten."
              />
            )}
          </>
        )}
      </section>
    </Delivery>,
    frameOf(title),
  );
});
