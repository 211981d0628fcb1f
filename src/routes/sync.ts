import { type Context, Hono } from "hono";
import type { JobAction } from "../domain/words.ts";
import { ask } from "../relay/jobs.ts";
import { NAME_TARGET } from "../relay/sync-experiment.ts";
import { modelRunStream } from "../store/parents.ts";
import { trialStream } from "../store/read-state.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readExperiment } from "./experiment-body.ts";
import { found, readQuery } from "./query.ts";

const WILL_BE = {
  sync_trial_to_mlflow: "will be brought up to date in MLflow",
  sync_mlflow_to_trial: "will take over what was changed in MLflow",
  create_run: "will get its run in MLflow",
};

/** `/api/sync`: the original's jobs, on demand. */
export const sync = new Hono<AppEnv>()
  .use(requireScope("admin"))
  .post("/trials/:id", (c) => askForTrial(c, c.req.param("id"), "sync_trial_to_mlflow"))
  .post("/trials/:id/pull", (c) => askForTrial(c, c.req.param("id"), "sync_mlflow_to_trial"))
  .post("/trials/:id/run", (c) => askForTrial(c, c.req.param("id"), "create_run"))
  .post("/model-runs/:id", (c) => askForModelRun(c, c.req.param("id"), "sync_trial_to_mlflow"))
  .post("/model-runs/:id/pull", (c) => askForModelRun(c, c.req.param("id"), "sync_mlflow_to_trial"))
  .post("/experiments", async (c) => {
    const which = await readExperiment(c);
    const isById = "experimentId" in which;
    const target = isById ? which.experimentId : `${NAME_TARGET}${which.experimentName}`;
    const asked = {
      experiment_id: isById ? which.experimentId : null,
      experiment_name: isById ? null : which.experimentName,
    };
    return answer(c, "sync_experiment", target, asked, "The experiment's runs will be read from MLflow");
  });

type StreamAction = keyof typeof WILL_BE;

async function askForTrial(c: Context<AppEnv>, id: string, action: StreamAction): Promise<Response> {
  readQuery(c, {});
  const { key, modelRunId, trialId } = found(await trialStream(c.var.relay.db, id), `trial ${id}`);
  const owner = { id, model_run_id: modelRunId, trial_id: trialId };
  return answer(c, action, key, owner, `The trial ${WILL_BE[action]}`);
}

async function askForModelRun(c: Context<AppEnv>, id: string, action: StreamAction): Promise<Response> {
  readQuery(c, {});
  const { stream } = found(await modelRunStream(c.var.relay.db, id), `model run ${id}`);
  const owner = { id, model_run_id: id, trial_id: null };
  return answer(c, action, stream.key, owner, `The model run ${WILL_BE[action]}`);
}

/** Asks, and says where the job can be followed. */
async function answer(
  c: Context<AppEnv>,
  action: JobAction,
  target: string,
  subject: object,
  wanted: string,
): Promise<Response> {
  const { jobId, state, created, sent } = await ask(c.var.relay, { action, target, origin: "request" });
  const message = sent
    ? wanted
    : `${wanted}; the queue takes no messages just now, so the cron will start the job`;
  c.header("Location", `/api/sync/jobs/${jobId}`);
  return c.json({ success: true, action, ...subject, job_id: jobId, state, created, message }, 202);
}
