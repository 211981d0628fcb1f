import { Hono } from "hono";
import { listModelRuns, readModelRun } from "../store/read-model-runs.ts";
import { modelRuns as table } from "../store/schema.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { found, oneOf, paging, readQuery } from "./query.ts";

const listQuery = { ...paging, state: oneOf(table.state.enumValues).optional() };

/** `/api/model-runs`: the list, and one model run by the trainer's own id. */
export const modelRuns = new Hono<AppEnv>()
  .use(requireScope("read"))
  .get("/", async (c) => {
    const { limit, cursor, ...filter } = readQuery(c, listQuery);
    const rows = await listModelRuns(c.var.relay.db, filter, readCursor(c, cursor), limit);
    const page = toPage(c, rows, limit);
    return c.json({ model_runs: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", async (c) => {
    readQuery(c, {});
    const id = c.req.param("id");
    return c.json(found(await readModelRun(c.var.relay.db, id), `model run ${id}`));
  });
