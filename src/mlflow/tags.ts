import type { Run } from "./types.ts";

/** The tags by which a run is known in MLflow: Thunderline's, and MLflow's own of a nested run. */
export const TRIAL_TAG = "thunderline_trial_id";
export const MODEL_RUN_TAG = "thunderline_model_run_id";
export const PARENT_TAG = "mlflow.parentRunId";
/** The id by which MLflow's clients know a run that they made through the gateway. */
export const RUN_ID_TAG = "relay.run_id";
/** The same of a logged model, by which it is found again where nobody heard the answer to its making. */
export const MODEL_ID_TAG = "relay.model_id";
/** The models that clients of MLflow 1 and 2 logged to a run, in JSON. */
export const LOGGED_MODELS_TAG = "mlflow.log-model.history";
/** MLflow's own copy of a run's name: either changes the other. */
export const RUN_NAME_TAG = "mlflow.runName";

/** The trial, or the model run, that a run is of by Thunderline's tags. */
export type TaggedIds = { trialId: string | null; modelRunId: string | null };

/** Whose a run is by its tags. */
export function taggedIdsOf({ data }: Run): TaggedIds {
  const tag = (key: string) => data.tags.find((tag) => tag.key === key)?.value ?? null;
  const trialId = tag(TRIAL_TAG);
  // Somebody else's run within a model run is neither its parent run nor a trial.
  const isNestedStranger = trialId === null && tag(PARENT_TAG) !== null;
  return { trialId, modelRunId: isNestedStranger ? null : tag(MODEL_RUN_TAG) };
}

/** Whether a run is, by its tags, of this trial or model run. */
export function isTaggedAs(run: Run, { trialId, modelRunId }: TaggedIds): boolean {
  const ids = taggedIdsOf(run);
  return ids.trialId === trialId && ids.modelRunId === modelRunId;
}

/** Names the trial's own status where MLflow's KILLED stands for several. */
export const STATUS_TAG = "thunderline_status";
/** When a silent trainer was last heard. */
export const CONTACT_TAG = "relay.lost_contact";

/** The value of that tag; null: there is to be none. */
export function contactOf(lostContactAt: number | null): string | null {
  return lostContactAt === null ? null : new Date(lostContactAt).toISOString();
}

/** The trial's own status as a run shows it: one that was killed by other hands was cancelled. */
export function statusTagOf({ info, data }: Run): string | null {
  const tag = data.tags.find(({ key }) => key === STATUS_TAG)?.value;
  return tag ?? (info.status === "KILLED" ? "cancelled" : null);
}
