import { Hono } from "hono";
import { listRuns, RUN_STATUSES, readRun } from "../store/read-mirror.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";

const listQuery = {
  ...paging,
  experiment_id: someText.optional(),
  status: oneOf(RUN_STATUSES).optional(),
};

/** `/api/runs`: MLflow's runs as the relay knows them, each with the trial or model run it belongs to. */
export const runs = new Hono<AppEnv>()
  .use(requireScope("read"))
  .get("/", async (c) => {
    const { limit, cursor, ...filter } = readQuery(c, listQuery);
    const page = toPage(c, await listRuns(c.var.relay.db, filter, readCursor(c, cursor), limit), limit);
    return c.json({ runs: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", async (c) => {
    readQuery(c, {});
    const id = c.req.param("id");
    return c.json(found(await readRun(c.var.relay.db, id), `run ${id}`));
  });
