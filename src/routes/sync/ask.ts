import type { Context } from "hono";
import type { JobAction } from "../../domain/words.ts";
import { ask } from "../../relay/jobs/jobs.ts";
import { modelRunStream } from "../../store/delivery/parents.ts";
import { trialStream } from "../../store/views/state.ts";
import type { AppEnv } from "../door/context.ts";
import { found } from "../door/query.ts";
import type { Asked } from "../handler.ts";
import type { sync } from "./contract.ts";

/** Asking for jobs about trials and model runs. */

const WILL_BE = {
  sync_trial_to_mlflow: "will be brought up to date in MLflow",
  sync_mlflow_to_trial: "will take over what was changed in MLflow",
  create_run: "will get its run in MLflow",
};

type StreamAction = keyof typeof WILL_BE;
type About = Pick<Asked<(typeof sync)["contracts"]["syncTrial"]>, "c" | "relay" | "path">;

export async function askForTrial({ c, relay, path: { id } }: About, action: StreamAction) {
  const { key, modelRunId, trialId } = found(await trialStream(relay.db, id), `trial ${id}`);
  const job = await askNow(c, action, key, `The trial ${WILL_BE[action]}`);
  return { success: true as const, action, id, model_run_id: modelRunId, trial_id: trialId, ...job };
}

export async function askForModelRun({ c, relay, path: { id } }: About, action: StreamAction) {
  const { stream } = found(await modelRunStream(relay.db, id), `model run ${id}`);
  const job = await askNow(c, action, stream.key, `The model run ${WILL_BE[action]}`);
  return { success: true as const, action, id, model_run_id: id, trial_id: null, ...job };
}

/** Asks, and says where the job can be followed. */
export async function askNow(c: Context<AppEnv>, action: JobAction, target: string, willBe: string) {
  const { jobId, state, created, sent } = await ask(c.var.relay, { action, target, origin: "request" });
  const message = sent
    ? willBe
    : `${willBe}; the queue takes no messages just now, so the cron will start the job`;
  c.header("Location", `/api/sync/jobs/${jobId}`);
  return { job_id: jobId, state, created, message };
}
