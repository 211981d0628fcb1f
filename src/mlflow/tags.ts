/** The tags by which a run is known in MLflow: Thunderline's, and MLflow's own of a nested run. */
export const TRIAL_TAG = "thunderline_trial_id";
export const MODEL_RUN_TAG = "thunderline_model_run_id";
export const PARENT_TAG = "mlflow.parentRunId";
