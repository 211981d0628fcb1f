import { Hono } from "hono";
import { columnOf, type KeyedColumn } from "../../domain/table-columns.ts";
import { answerOnce } from "../../routes/door/conditional.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { found } from "../../routes/door/query.ts";
import { readSearch } from "../../routes/mirror/search-query.ts";
import { readModelRun } from "../../store/views/model-runs.ts";
import { readTable, trialKeyOf } from "../../store/views/table.ts";
import { readColumns } from "../../store/views/table-columns.ts";
import { tableVersion } from "../../store/views/table-scope.ts";
import { firstColumns, shownColumns } from "../client/lib/shown-columns.ts";
import { dataOf } from "../client/lib/table-data.ts";
import { readTableState } from "../client/lib/table-state.ts";
import { page } from "../page.tsx";
import { FirstRows } from "../parts/first-rows.tsx";
import { mlflowAddress } from "../parts/mlflow-anchor.tsx";
import { ModelRunHead } from "../parts/model-run-head.tsx";

/** So many are on the page before any script has run. */
const FIRST_ROWS = 40;
/** What they have in common with those behind them, mostly. */
const SAMPLE_TRIALS = 40;
const MAX_FIRST_COLUMNS = 30;

/** `/model-runs/:id`: one model run, and the table of its trials. */
export const modelRunPage = new Hono<AppEnv>({ strict: false });

modelRunPage.get("/model-runs/:id", page("read"), async (c) => {
  const { db, now } = c.var.relay;
  const id = c.req.param("id");
  const scope = { modelRunId: id };
  await answerOnce(c, found(await tableVersion(db, scope, now()), `model run ${id}`));
  const run = found(await readModelRun(db, id), `model run ${id}`);
  const state = readTableState(new URL(c.req.url).searchParams);
  const sample = await readColumns(db, { modelRunId: id, newest: SAMPLE_TRIALS });
  const first = firstColumns(sample.columns);
  const columns = shownColumns(state, null, first);
  const keyed = columns
    .map(columnOf)
    .flatMap((column): KeyedColumn[] => (column && column.kind !== "field" ? [column] : []));
  const sorted = state.sort === null ? null : columnOf(state.sort.replace(/^-/, ""));
  const table = await readTable(db, {
    scope,
    clauses: clausesOf(state.filter),
    spectralNorm: state.spectral ?? undefined,
    sort: sorted && { column: sorted, descending: state.sort?.startsWith("-") ?? false },
    columns: keyed.slice(0, MAX_FIRST_COLUMNS),
    limit: FIRST_ROWS,
  });
  const best = run.best_trial_id === null ? null : await trialKeyOf(db, id, run.best_trial_id);
  const mlflow =
    run.mlflow_run_id === null
      ? null
      : mlflowAddress(c.var.relay, run.mlflow_experiment_id, run.mlflow_run_id);
  return c.render(
    <>
      <div data-live>
        <ModelRunHead run={run} bestKey={best} mlflow={mlflow} />
      </div>
      <section id="trials" aria-label="Trials">
        <FirstRows data={dataOf(table)} columns={columns} total={run.trials.total} />
      </section>
    </>,
    { title: run.run_name ?? id, place: "/", scripts: ["trials"], data: { modelRunId: id, first } },
  );
});

/** The conditions of a filter; none of one that is refused, which the script's own asking says at its place. */
function clausesOf(filter: string) {
  try {
    return filter === "" ? [] : (readSearch(filter, undefined)?.clauses ?? []);
  } catch {
    return [];
  }
}
