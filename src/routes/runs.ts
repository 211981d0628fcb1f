import { Hono } from "hono";
import { RUN_STATUSES } from "../domain/words.ts";
import { HttpFailure } from "../errors.ts";
import { readHistory } from "../relay/history.ts";
import { LIFECYCLES, listRuns, readRun } from "../store/read-runs.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";
import { seriesQuery } from "./series-query.ts";

const listQuery = {
  ...paging,
  experiment_id: someText.optional(),
  status: oneOf(RUN_STATUSES).optional(),
  lifecycle: oneOf(LIFECYCLES).default("all"),
  linked: oneOf(["true", "false"])
    .transform((word) => word === "true")
    .optional(),
};

const MLFLOW_RETRY_SECONDS = 30;

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
  })
  .get("/:id/metrics/:key{.+}", async (c) => {
    const { from_step, to_step, max_points } = readQuery(c, seriesQuery);
    const { id, key } = c.req.param();
    const history = await readHistory(c.var.relay, id, key, { from: from_step, to: to_step }, max_points);
    switch (history.kind) {
      case "no run":
        return c.json(found(null, `run ${id}`));
      case "no metric":
        return c.json(found(null, `metric ${key} of run ${id}`));
      case "away":
        throw new HttpFailure({
          kind: "unavailable",
          detail: `MLflow cannot be asked for this history just now: ${history.reason}`,
          retryAfterSeconds: MLFLOW_RETRY_SECONDS,
        });
      case "read":
        return c.json({ key, ...history.series, read_at: new Date(history.readAt).toISOString() });
    }
  });
