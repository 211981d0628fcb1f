import { listModelRuns, readModelRun } from "../../store/views/model-runs.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { modelRuns, sortOf } from "./contract.ts";

export const modelRunRoutes = routes(modelRuns, {
  listModelRuns: async ({ c, relay, query: { limit, cursor, sort, ...filter } }) => {
    const rows = await listModelRuns(relay.db, filter, sortOf(sort), readCursor(c, cursor), limit);
    const page = toPage(c, rows, limit);
    return { model_runs: page.rows, next_cursor: page.next_cursor };
  },
  getModelRun: async ({ relay, path: { id } }) => found(await readModelRun(relay.db, id), `model run ${id}`),
});
