import { HttpFailure } from "../../errors.ts";
import { readOldSeries } from "../../relay/follow/history.ts";
import { fullVerdict } from "../../store/readback/verdicts.ts";
import { readSeries } from "../../store/views/points.ts";
import { readState, summaryViews, trialStream } from "../../store/views/state.ts";
import { readTrial } from "../../store/views/trial.ts";
import { listTrials } from "../../store/views/trials.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { trials } from "./contract.ts";
import { readLedger } from "./ledger.ts";

const MLFLOW_RETRY_SECONDS = 30;

export const trialRoutes = routes(trials, {
  listTrials: async ({ c, relay, query: { limit, cursor, sort, ...filter } }) => {
    const page = toPage(c, await listTrials(relay.db, filter, sort, readCursor(c, cursor), limit), limit);
    return { trials: page.rows, next_cursor: page.next_cursor };
  },
  getTrial: async ({ relay, path: { id } }) => found(await readTrial(relay.db, id), `trial ${id}`),
  getTrialMetrics: async ({ relay: { db }, path: { id } }) => {
    const stream = found(await trialStream(db, id), `trial ${id}`);
    const { state } = await readState(db, { id: stream.id, kind: "trial" });
    return { metrics: summaryViews(state.metrics) };
  },
  getMetricHistory: async ({ relay, path: { id, key }, query: { from_step, to_step, max_points } }) => {
    const stream = found(await trialStream(relay.db, id), `trial ${id}`);
    const range = { from: from_step, to: to_step };
    const series =
      stream.prunedAt === null || stream.mlflowRunId === null
        ? await readSeries(relay.db, stream.id, key, range, max_points)
        : await oldSeries(relay.mlflow, stream.mlflowRunId, key, range, max_points);
    return { key, ...found(series, `metric ${key} of trial ${id}`) };
  },
  getLedger: readLedger,
  getVerdict: async ({ relay: { db }, path: { id } }) => {
    const stream = found(await trialStream(db, id), `trial ${id}`);
    const verdict = found(await fullVerdict(db, stream.id), `verdict on trial ${id} yet`);
    return { id, model_run_id: stream.modelRunId, trial_id: stream.trialId, ...verdict };
  },
});

/** The history of a trial whose points are in MLflow only. */
async function oldSeries(...args: Parameters<typeof readOldSeries>) {
  const series = await readOldSeries(...args);
  if (series.ok) return series.value;
  throw new HttpFailure({
    kind: "unavailable",
    detail: `The points of this trial are in MLflow only, which did not give them: ${series.failure.message}`,
    retryAfterSeconds: MLFLOW_RETRY_SECONDS,
  });
}
