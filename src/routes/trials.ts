import { Hono } from "hono";
import * as z from "zod";
import { keyProblem } from "../domain/limits.ts";
import { SYNC_STATES } from "../domain/words.ts";
import { HttpFailure } from "../errors.ts";
import { readOldSeries } from "../relay/old-series.ts";
import { readSeries } from "../store/read-points.ts";
import { readState, summaryViews, trialStream } from "../store/read-state.ts";
import { readTrial } from "../store/read-trial.ts";
import { listTrials, SORT_COLUMNS, type TrialSort } from "../store/read-trials.ts";
import { trials as table } from "../store/schema.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";
import { seriesQuery } from "./series-query.ts";

const METRIC = "metrics.";
const MLFLOW_RETRY_SECONDS = 30;

const SORT_RULE = `must be one of ${SORT_COLUMNS.join(", ")} or metrics.<key>, with - before it for descending`;

const sort = z.string().transform((text, context): TrialSort => {
  const descending = text.startsWith("-");
  const name = descending ? text.slice(1) : text;
  const column = SORT_COLUMNS.find((known) => known === name);
  if (column) return { column, descending };
  const metric = name.slice(METRIC.length);
  if (name.startsWith(METRIC) && keyProblem(metric) === null) return { metric, descending };
  context.addIssue({ code: "custom", message: SORT_RULE });
  return z.NEVER;
});

const listQuery = {
  ...paging,
  model_run_id: someText.optional(),
  trial_id: someText.optional(),
  status: oneOf(table.status.enumValues).optional(),
  sync_state: oneOf(SYNC_STATES).optional(),
  spectral_norm: oneOf(["true", "false"])
    .transform((word) => word === "true")
    .optional(),
  experiment_name: someText.optional(),
  sort: sort.default({ column: "created_at", descending: true }),
};

/** `/api/trials`: the list, one trial with everything of it, and the history of its metrics. */
export const trials = new Hono<AppEnv>()
  .use(requireScope("read"))
  .get("/", async (c) => {
    const { limit, cursor, sort, ...filter } = readQuery(c, listQuery);
    const rows = await listTrials(c.var.relay.db, filter, sort, readCursor(c, cursor), limit);
    const page = toPage(c, rows, limit);
    return c.json({ trials: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", async (c) => {
    readQuery(c, {});
    const id = c.req.param("id");
    return c.json(found(await readTrial(c.var.relay.db, id), `trial ${id}`));
  })
  .get("/:id/metrics", async (c) => {
    readQuery(c, {});
    const { db } = c.var.relay;
    const id = c.req.param("id");
    const stream = found(await trialStream(db, id), `trial ${id}`);
    const { state } = await readState(db, { id: stream.id, kind: "trial" });
    return c.json({ metrics: summaryViews(state.metrics) });
  })
  .get("/:id/metrics/:key{.+}", async (c) => {
    const { from_step, to_step, max_points } = readQuery(c, seriesQuery);
    const { db } = c.var.relay;
    const { id, key } = c.req.param();
    const stream = found(await trialStream(db, id), `trial ${id}`);
    const range = { from: from_step, to: to_step };
    const series =
      stream.prunedAt === null || stream.mlflowRunId === null
        ? await readSeries(db, stream.id, key, range, max_points)
        : await oldSeries(c.var.relay.mlflow, stream.mlflowRunId, key, range, max_points);
    return c.json({ key, ...found(series, `metric ${key} of trial ${id}`) });
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
