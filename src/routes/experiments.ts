import { Hono } from "hono";
import { listExperiments, readExperiment } from "../store/read-mirror.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { found, paging, readQuery } from "./query.ts";

/** `/api/experiments`: MLflow's experiments as the relay knows them. */
export const experiments = new Hono<AppEnv>()
  .use(requireScope("read"))
  .get("/", async (c) => {
    const { limit, cursor } = readQuery(c, paging);
    const page = toPage(c, await listExperiments(c.var.relay.db, readCursor(c, cursor), limit), limit);
    return c.json({ experiments: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", async (c) => {
    readQuery(c, {});
    const id = c.req.param("id");
    return c.json(found(await readExperiment(c.var.relay.db, id), `experiment ${id}`));
  });
