import { Hono } from "hono";
import type { ModelRunListed } from "../../answers/model-runs.ts";
import { MODEL_RUN_STATES } from "../../domain/words.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { readCursor, toPage } from "../../routes/door/cursor.ts";
import { readQuery } from "../../routes/door/query.ts";
import { modelRunQuery, sortOf } from "../../routes/model-runs/contract.ts";
import { iso } from "../../store/listing/common.ts";
import { type Overview, overviewOf } from "../../store/views/model-run-overview.ts";
import { listModelRuns } from "../../store/views/model-runs.ts";
import { page } from "../page.tsx";
import { Badge } from "../parts/badge.tsx";
import { Empty, Snippet } from "../parts/empty.tsx";
import { shortNumber } from "../parts/number.ts";
import { Head, Pager } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { TrialBar } from "../parts/trial-bar.tsx";

/** `/`: every model run, the newest first. */
export const modelRunsPage = new Hono<AppEnv>({ strict: false });

modelRunsPage.get("/", page("read"), async (c) => {
  const { db } = c.var.relay;
  const { limit, cursor, sort, ...filter } = readQuery(c, modelRunQuery);
  const listed = await listModelRuns(db, filter, sortOf(sort), readCursor(c, cursor), limit);
  const { rows, next_cursor } = toPage(c, listed, limit);
  const overview = await overviewOf(
    db,
    rows.map((row) => row.model_run_id),
  );
  const url = new URL(c.req.url);
  const isFiltered = filter.state !== undefined || filter.search !== undefined || cursor !== undefined;
  const title = "Model runs";
  return c.render(
    <>
      <div class="heading">
        <h1>{title}</h1>
        {(rows.length > 0 || isFiltered) && <Filter {...filter} sort={sort} />}
      </div>
      <div data-live>
        {rows.length > 0 ? (
          <ModelRunTable rows={rows} overview={overview} url={url} sort={sort} />
        ) : isFiltered ? (
          <Empty title="No model run fits">
            <p>
              <a href="/">Show all</a>
            </p>
          </Empty>
        ) : (
          <Welcome origin={url.origin} />
        )}
        <Pager url={url} next={next_cursor} />
      </div>
    </>,
    { title, place: "/" },
  );
});

function Filter({
  search,
  state,
  sort,
}: {
  search?: string | undefined;
  state?: string | undefined;
  sort: string;
}) {
  return (
    <search>
      <form class="filter">
        <input type="search" name="search" value={search} placeholder="Name or id" aria-label="Name or id" />
        <select name="state" aria-label="State" data-submit>
          <option value="" disabled={false}>
            Any state
          </option>
          {MODEL_RUN_STATES.map((word) => (
            <option value={word} selected={word === state}>
              {word}
            </option>
          ))}
        </select>
        <input type="hidden" name="sort" value={sort} />
        <button type="submit">Show</button>
      </form>
    </search>
  );
}

type TableProps = {
  rows: readonly ModelRunListed[];
  overview: (id: string) => Overview;
  url: URL;
  sort: string;
};

function ModelRunTable({ rows, overview, url, sort }: TableProps) {
  const order = { url, sort };
  return (
    <div class="scroll">
      <table class="list">
        <thead>
          <tr>
            <Head {...order} by="model_run_id">
              Model run
            </Head>
            <Head {...order}>State</Head>
            <Head {...order}>Trials</Head>
            <Head {...order}>spectral_norm</Head>
            <Head {...order} by="best_metric" greatest number>
              Best metric
            </Head>
            <Head {...order}>In MLflow</Head>
            <Head {...order} by="updated_at" greatest>
              Last heard
            </Head>
            <Head {...order} by="created_at" greatest>
              Begun
            </Head>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <ModelRunRow row={row} its={overview(row.model_run_id)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ModelRunRow({ row, its }: { row: ModelRunListed; its: Overview }) {
  const { model_run_id: id, run_name: name, best_metric: best } = row;
  const active = its.activeAt === null ? null : iso(its.activeAt);
  return (
    <tr>
      <th scope="row">
        <a href={`/model-runs/${encodeURIComponent(id)}`}>{name ?? id}</a>
        {name !== null && name !== id && <small class="mono">{id}</small>}
      </th>
      <td>
        <Badge word={row.state} />
      </td>
      <td>
        <TrialBar counts={its.trials} requested={row.requested_trials} />
      </td>
      <td>
        <SpectralNorm {...its.spectralNorm} />
      </td>
      <td class="number" title={best === null ? undefined : String(best)}>
        {best === null ? <span class="none">–</span> : shortNumber(best)}
        {row.best_trial_id !== null && <small class="mono">{row.best_trial_id}</small>}
      </td>
      <td>
        <InMlflow row={row} its={its} />
      </td>
      <td>
        <Time at={active !== null && active > row.updated_at ? active : row.updated_at} />
      </td>
      <td>
        <Time at={row.started_at ?? row.created_at} />
      </td>
    </tr>
  );
}

/** How many of its trials have it. */
function SpectralNorm({ with: on, without: off }: Overview["spectralNorm"]) {
  if (on + off === 0) return <span class="none">–</span>;
  return (
    <span title={`${on} with, ${off} without`}>
      {on} <span class="dim">of</span> {on + off}
    </span>
  );
}

/** How much of it is still on its way. */
function InMlflow({ row, its }: { row: ModelRunListed; its: Overview }) {
  if (its.blocked > 0 || row.sync_state === "blocked")
    return <Badge word="blocked" title={row.blocked_reason ?? `${its.blocked} of its trials stand still`} />;
  if (its.behind > 0) return <Badge word="pending" title={`${its.behind} of its trials are on their way`} />;
  return <Badge word={row.sync_state} title={row.last_error ?? undefined} />;
}

function Welcome({ origin }: { origin: string }) {
  const events = [
    { event: "ml.run.start", model_run_id: "first-run", requested_trials: 1, search_space_version: 1 },
    {
      event: "ml.trial.start",
      model_run_id: "first-run",
      trial_id: "trial-1",
      spectral_norm: false,
      parameters: { lr: 0.01 },
    },
    {
      event: "ml.run.metric",
      model_run_id: "first-run",
      trial_id: "trial-1",
      step: 1,
      metrics: { loss: 0.42 },
    },
    {
      event: "ml.trial.complete",
      model_run_id: "first-run",
      trial_id: "trial-1",
      spectral_norm: false,
      metrics: { accuracy: 0.9 },
    },
  ];
  const lines = events.map((event) => `  ${JSON.stringify(event)}`).join(",\n");
  return (
    <Empty title="Nothing was reported yet">
      <p>
        A trainer posts events, here with a token that may <code>ingest</code>, and is never kept waiting.
        What it says is here at once, and in MLflow as soon as MLflow takes it.
      </p>
      <Snippet
        text={`curl -sS ${origin}/api/events/ml \\\n  -H "Authorization: Bearer $RELAY_TOKEN" \\\n  -H 'Content-Type: application/json' -d '[\n${lines}]'`}
      />
      <p>
        Or with MLflow's own client, unchanged: set <code>MLFLOW_TRACKING_URI</code> to <code>{origin}</code>{" "}
        and <code>MLFLOW_TRACKING_TOKEN</code> to a token; its runs are under{" "}
        <a href="/experiments">Experiments</a>.
      </p>
    </Empty>
  );
}
