import { Hono } from "hono";
import { HttpFailure } from "../errors.ts";
import { errorText } from "../log.ts";
import { trialStream } from "../store/read-state.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { found, readQuery } from "./query.ts";

const RETRY_AFTER_SECONDS = 5;

/** `/api/sync`: the original's jobs, on demand. */
export const sync = new Hono<AppEnv>().post("/trials/:id", requireScope("admin"), async (c) => {
  readQuery(c, {});
  const { db, jobs, log } = c.var.relay;
  const id = c.req.param("id");
  const stream = found(await trialStream(db, id), `trial ${id}`);
  const action = "sync_trial_to_mlflow";
  try {
    await jobs.send({ kind: "job", action, streamId: stream.id });
  } catch (error) {
    log.warn("a job was not sent", { action, stream: id, error: errorText(error) });
    throw new HttpFailure({
      kind: "unavailable",
      detail: "The queue does not take jobs just now. Nothing was asked for; send the request again.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
  return c.json(
    {
      success: true,
      action,
      id,
      model_run_id: stream.modelRunId,
      trial_id: stream.trialId,
      message: "The trial will be brought up to date in MLflow",
    },
    202,
  );
});
