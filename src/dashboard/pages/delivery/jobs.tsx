import { Hono } from "hono";
import type { JobView, WatchView } from "../../../answers/jobs.ts";
import type { Owner } from "../../../answers/parts.ts";
import { JOB_ACTIONS, JOB_STATES } from "../../../domain/words.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { readCursor, toPage } from "../../../routes/door/cursor.ts";
import { readQuery } from "../../../routes/door/query.ts";
import { sync } from "../../../routes/sync/contract.ts";
import { listJobs } from "../../../store/jobs/records.ts";
import { watchViews } from "../../../store/jobs/watches.ts";
import { ownersOf } from "../../../store/views/owners.ts";
import { page } from "../../page.tsx";
import { Action, mayAct } from "../../parts/action.tsx";
import { Badge } from "../../parts/badge.tsx";
import { Empty } from "../../parts/empty.tsx";
import { OwnerAnchor } from "../../parts/owner-anchor.tsx";
import { Pager } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { anyOf, Choice, Delivery, Filters, frameOf, List } from "./frame.tsx";

/** `/delivery/jobs`: work on demand in either direction, what became of it, and the experiments that are followed. */
export const jobsPage = new Hono<AppEnv>({ strict: false });

jobsPage.get("/jobs", page("read"), async (c) => {
  const { db } = c.var.relay;
  const { limit, cursor, ...filter } = readQuery(c, sync.contracts.listJobs.query);
  const [listed, watches] = await Promise.all([
    listJobs(db, filter, readCursor(c, cursor), limit),
    watchViews(db),
  ]);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const owners = await ownersOf(
    db,
    rows.flatMap(({ action, target }) => (action === "sync_experiment" ? [] : [target])),
  );
  const title = "Jobs";
  return c.render(
    <Delivery
      at="/delivery/jobs"
      title={title}
      aside={
        <Filters>
          <Choice
            name="action"
            label="Action"
            options={anyOf("Whatever they do", JOB_ACTIONS)}
            chosen={filter.action ?? ""}
          />
          <Choice
            name="state"
            label="State"
            options={anyOf("In any state", JOB_STATES)}
            chosen={filter.state ?? ""}
          />
        </Filters>
      }
    >
      <Asking />
      <div data-live>
        {rows.length === 0 ? (
          <Empty title="No job">
            <p>A trial's page has jobs for the trial; above is one for a whole experiment.</p>
          </Empty>
        ) : (
          <JobTable rows={rows} owners={owners} />
        )}
        <Pager url={new URL(c.req.url)} next={next_cursor} />
        <Watches watches={watches} />
      </div>
    </Delivery>,
    frameOf(title),
  );
});

/** What an operator can ask for here. */
function Asking() {
  if (!mayAct()) return null;
  return (
    <div class="columns">
      <section class="panel">
        <h2>Read an experiment from MLflow</h2>
        <Action to="POST /api/sync/experiments" label="Read it now">
          <input
            type="text"
            name="experiment_name"
            required
            placeholder="Experiment's name"
            aria-label="Name of the experiment to read"
          />
        </Action>
        <Action to="POST /api/sync/watches" label="Follow it">
          <input
            type="text"
            name="experiment_name"
            required
            placeholder="Experiment's name"
            aria-label="Name of the experiment to follow"
          />
        </Action>
      </section>
      <section class="panel">
        <h2>Send again what MLflow lacks</h2>
        <Action to="POST /api/ops/backfill" label="Send again" plan>
          <input
            type="text"
            name="model_run_id"
            required
            placeholder="Model run"
            aria-label="Model run to send again"
          />
          <input type="text" name="trial_id" placeholder="Trial (all)" aria-label="Trial to send again" />
          <input type="number" name="from_step" placeholder="From step" aria-label="From step" />
          <input type="number" name="to_step" placeholder="To step" aria-label="To step" />
        </Action>
      </section>
    </div>
  );
}

type Owners = ReadonlyMap<string, Owner>;

function JobTable({ rows, owners }: { rows: readonly JobView[]; owners: Owners }) {
  return (
    <List columns={["Job", "State", "About", "So far", "Asked for", "Over", ""]}>
      {rows.map((row) => (
        <tr>
          <th scope="row" title={row.id}>
            {row.action.replaceAll("_", " ")}
          </th>
          <td>
            <Badge word={row.state} title={row.errors.at(-1)?.error} />
          </td>
          <td class="wrap">
            <Target of={row} owners={owners} />
          </td>
          <td class="wrap">
            {Object.entries(row.counts)
              .map(([what, count]) => `${count} ${what.replaceAll("_", " ")}`)
              .join(", ") || "–"}
            {row.errors.length > 0 && row.finished_at === null && <small> {row.errors.at(-1)?.error}</small>}
          </td>
          <td>
            <Time at={row.created_at} />
          </td>
          <td>
            <Time at={row.finished_at} />
          </td>
          <td>
            {row.finished_at === null ? (
              <Action to={`POST /api/sync/jobs/${row.id}/cancel`} label="Cancel" danger about={row.target} />
            ) : (
              (row.state === "failed" || row.state === "cancelled") && (
                <Action to={`POST /api/sync/jobs/${row.id}/retry`} label="Retry" about={row.target} />
              )
            )}
          </td>
        </tr>
      ))}
    </List>
  );
}

/** A job about an experiment names it; the others have the public id of a trial or a model run. */
function Target({ of: { action, target }, owners }: { of: JobView; owners: Owners }) {
  if (action === "sync_experiment") return <code>{target.replace(/^name:/, "")}</code>;
  const owner = owners.get(target);
  return owner ? <OwnerAnchor of={owner} /> : <code>{target}</code>;
}

function Watches({ watches }: { watches: readonly WatchView[] }) {
  if (watches.length === 0) return null;
  return (
    <section class="panel">
      <h2>Experiments that are followed</h2>
      <ul class="plain">
        {watches.map((watch) => (
          <li>
            <code>{watch.experiment_name ?? watch.experiment_id}</code>{" "}
            {watch.last_job && (
              <Badge word={watch.last_job.state} title={watch.last_job.error ?? undefined} />
            )}{" "}
            <Action
              to={`DELETE /api/sync/watches/${watch.id}`}
              label="Follow no more"
              about={watch.experiment_name ?? watch.experiment_id ?? ""}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}
