/** Addresses of MLflow's own pages. */

type Place = { mlflow_experiment_id: string | null; mlflow_run_id: string | null };

/** Of a run; null while it has none. */
export function mlflowRunUrl(
  trackingUri: string,
  { mlflow_experiment_id: experiment, mlflow_run_id: run }: Place,
): string | null {
  if (experiment === null || run === null) return null;
  return `${withoutCredentials(trackingUri)}/#/experiments/${encodeURIComponent(experiment)}/runs/${encodeURIComponent(run)}`;
}

/** A password in the relay's own settings is not for whoever reads the page. */
function withoutCredentials(uri: string): string {
  const url = new URL(uri);
  url.username = "";
  url.password = "";
  return url.href.replace(/\/$/, "");
}
