import { Hono } from "hono";
import type { RunListed } from "../../answers/mirror.ts";
import { toPairs } from "../../domain/pairs.ts";
import { RUN_STATUSES } from "../../domain/words.ts";
import { experimentOf } from "../../gateway/experiments.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { readCursor, toPage } from "../../routes/door/cursor.ts";
import { maybe, oneOf, paging, readQuery, someText } from "../../routes/door/query.ts";
import { readSearch } from "../../routes/mirror/search-query.ts";
import { iso } from "../../store/listing/common.ts";
import { type WaitingRun, waitingRuns } from "../../store/views/experiment-list.ts";
import { listRuns, searchRuns } from "../../store/views/runs.ts";
import { page } from "../page.tsx";
import { Badge } from "../parts/badge.tsx";
import { Empty } from "../parts/empty.tsx";
import { Crumbs, Facts, Id, Texts } from "../parts/facts.tsx";
import { MlflowAnchor, mlflowAddress } from "../parts/mlflow-anchor.tsx";
import { RunOwner } from "../parts/run-owner.tsx";
import { Head, Pager } from "../parts/table.tsx";
import { duration, Time } from "../parts/time.tsx";
import { lookedUp } from "../refused.ts";

const MAX_WAITING = 50;

const query = {
  ...paging,
  status: maybe(oneOf(RUN_STATUSES), "MLflow's status."),
  filter: maybe(someText, "In MLflow's search language."),
  order_by: maybe(someText, "What to sort by, as MLflow does."),
};

/** `/experiments/:id`, by the relay's id or MLflow's: its runs, those that are only in MLflow too. */
export const experimentPage = new Hono<AppEnv>({ strict: false });

experimentPage.get("/experiments/:id", page("read"), async (c) => {
  const { relay } = c.var;
  const { limit, cursor, status, filter, order_by } = readQuery(c, query);
  const search = readSearch(filter, order_by);
  const experiment = await lookedUp(experimentOf(relay, c.req.param("id")));
  const chosen = { experiment_id: experiment.mlflowExperimentId ?? "", status, lifecycle: "all" } as const;
  const after = readCursor(c, cursor);
  const [listed, waiting] = await Promise.all([
    search ? searchRuns(relay.db, chosen, search, after, limit) : listRuns(relay.db, chosen, after, limit),
    waitingRuns(relay.db, experiment.id, MAX_WAITING),
  ]);
  const { rows, next_cursor } = toPage<(typeof listed)[number]>(c, listed, limit);
  const url = new URL(c.req.url);
  const { name } = experiment;
  return c.render(
    <>
      <Crumbs of={[["Experiments", "/experiments"]]} />
      <div class="heading">
        <h1>{name}</h1>
        {experiment.lifecycle === "deleted" && <Badge word="deleted" />}
        <MlflowAnchor to={mlflowAddress(relay, experiment.mlflowExperimentId)} />
      </div>
      <div class="columns">
        <section class="panel">
          <h2>Experiment</h2>
          <Facts
            rows={[
              ["Id", <Id text={experiment.id} />],
              ["In MLflow", <Id text={experiment.mlflowExperimentId} />],
              ["Artifacts", <code>{experiment.artifactLocation}</code>],
              ["Made", <Time at={experiment.createdTime === 0 ? null : iso(experiment.createdTime)} />],
            ]}
          />
        </section>
        <Texts title="Tags" pairs={toPairs(experiment.tags)} />
      </div>
      <Search filter={filter} orderBy={order_by} status={status} />
      <div data-live>
        {waiting.length > 0 && cursor === undefined && <Waiting runs={waiting} />}
        {rows.length > 0 ? (
          <RunTable rows={rows} url={url} />
        ) : (
          waiting.length === 0 && <Empty title="No run is known here" />
        )}
        <Pager url={url} next={next_cursor} />
      </div>
    </>,
    { title: name, place: "/experiments" },
  );
});

type Asked = Record<"filter" | "orderBy" | "status", string | undefined>;

function Search({ filter, orderBy, status }: Asked) {
  return (
    <search>
      <form class="filter wide">
        <input
          type="search"
          name="filter"
          value={filter}
          placeholder="metrics.loss < 0.2 AND params.optimizer = 'adam'"
          aria-label="Filter in MLflow's search language"
          spellcheck={false}
        />
        <input
          type="search"
          name="order_by"
          value={orderBy}
          placeholder="metrics.loss ASC"
          aria-label="Order, as MLflow writes it"
          spellcheck={false}
        />
        <select name="status" aria-label="Status" data-submit>
          <option value="">Any status</option>
          {RUN_STATUSES.map((word) => (
            <option value={word} selected={word === status}>
              {word.toLowerCase()}
            </option>
          ))}
        </select>
        <button type="submit">Search</button>
      </form>
    </search>
  );
}

function RunTable({ rows, url }: { rows: readonly RunListed[]; url: URL }) {
  const order = { url, sort: "" };
  return (
    <div class="scroll">
      <table class="list">
        <thead>
          <tr>
            <Head {...order}>Run</Head>
            <Head {...order}>Status</Head>
            <Head {...order}>Belongs to</Head>
            <Head {...order}>Started</Head>
            <Head {...order} number>
              Took
            </Head>
            <Head {...order}>By</Head>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              <th scope="row">
                <a href={`/runs/${encodeURIComponent(row.mlflow_run_id)}`}>
                  {row.run_name || row.mlflow_run_id}
                </a>
                <small class="mono">{row.mlflow_run_id}</small>
              </th>
              <td>
                <Badge word={row.lifecycle_stage === "deleted" ? "deleted" : row.status} />
              </td>
              <td>
                <RunOwner trial={row.trial} modelRun={row.model_run?.model_run_id ?? null} />
              </td>
              <td>
                <Time at={row.start_time} />
              </td>
              <td class="number">{tookOf(row)}</td>
              <td>{row.user_id ?? <span class="none">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function tookOf({ start_time: start, end_time: end }: RunListed): string {
  return start === null || end === null ? "" : duration(Date.parse(end) - Date.parse(start));
}

function Waiting({ runs }: { runs: readonly WaitingRun[] }) {
  return (
    <section class="panel">
      <h2>
        On their way to MLflow <small>{runs.length}</small>
      </h2>
      <ul class="plain">
        {runs.map(({ runId, runName, status, why }) => (
          <li>
            <a href={`/runs/${encodeURIComponent(runId)}`}>{runName ?? runId}</a> <Badge word={status} />{" "}
            {why !== null && <small>{why}</small>}
          </li>
        ))}
      </ul>
    </section>
  );
}
