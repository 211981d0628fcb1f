import { HttpFailure } from "../../errors.ts";
import { readHistory } from "../../relay/follow/history.ts";
import { renameExperiment } from "../../relay/repair/rename.ts";
import { listExperiments, readExperiment } from "../../store/views/experiments.ts";
import { listRuns, readRun, searchRuns } from "../../store/views/runs.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found, noSuch } from "../door/query.ts";
import { routes } from "../route.ts";
import { mirror } from "./contract.ts";
import { readSearch } from "./search-query.ts";

const MLFLOW_RETRY_SECONDS = 30;
const RENAME_RETRY_SECONDS = 5;

export const mirrorRoutes = routes(mirror, {
  listExperiments: async ({ c, relay, query: { limit, cursor } }) => {
    const page = toPage(c, await listExperiments(relay.db, readCursor(c, cursor), limit), limit);
    return { experiments: page.rows, next_cursor: page.next_cursor };
  },
  getExperiment: async ({ relay, path: { id } }) => experimentOf(relay.db, id),
  renameExperiment: async ({ relay, path: { id }, readBody }) => {
    const { name } = await readBody();
    await experimentOf(relay.db, id);
    const renamed = await renameExperiment(relay, id, name);
    if (renamed.kind === "refused") throw new HttpFailure({ kind: "conflict", detail: renamed.detail });
    if (renamed.kind === "later") {
      const { detail } = renamed;
      throw new HttpFailure({ kind: "unavailable", detail, retryAfterSeconds: RENAME_RETRY_SECONDS });
    }
    relay.log.info("an experiment was renamed by an operator", { experiment_id: id, name });
    return experimentOf(relay.db, id);
  },
  listRuns: async ({ c, relay: { db }, query: { limit, cursor, filter, order_by, ...chosen } }) => {
    const search = readSearch(filter, order_by);
    const after = readCursor(c, cursor);
    const page = search
      ? toPage(c, await searchRuns(db, chosen, search, after, limit), limit)
      : toPage(c, await listRuns(db, chosen, after, limit), limit);
    return { runs: page.rows, next_cursor: page.next_cursor };
  },
  getRun: async ({ relay, path: { id } }) => found(await readRun(relay.db, id), `run ${id}`),
  getRunMetricHistory: async ({ relay, path: { id, key }, query: { from_step, to_step, max_points } }) => {
    const history = await readHistory(relay, id, key, { from: from_step, to: to_step }, max_points);
    switch (history.kind) {
      case "no run":
        throw noSuch(`run ${id}`);
      case "no metric":
        throw noSuch(`metric ${key} of run ${id}`);
      case "away":
        throw new HttpFailure({
          kind: "unavailable",
          detail: `MLflow cannot be asked for this history just now: ${history.reason}`,
          retryAfterSeconds: MLFLOW_RETRY_SECONDS,
        });
      case "read":
        return { key, ...history.series, read_at: new Date(history.readAt).toISOString() };
    }
  },
});

async function experimentOf(db: D1Database, id: string) {
  return found(await readExperiment(db, id), `experiment ${id}`);
}
