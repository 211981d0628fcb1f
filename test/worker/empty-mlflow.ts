/** A `fetch` behind which stands an MLflow that knows one run, with nothing in it. */
export function emptyMlflow(runId: string, experimentId: string): typeof fetch {
  const experiment = { experiment_id: experimentId, name: "two-moons", lifecycle_stage: "active" };
  const info = { run_id: runId, experiment_id: experimentId, status: "RUNNING", lifecycle_stage: "active" };
  const answers: Record<string, object> = {
    "runs/get": { run: { info, data: {} } },
    "runs/search": {},
    "metrics/get-history": {},
    "experiments/get": { experiment },
    "experiments/get-by-name": { experiment },
    "experiments/search": {},
  };
  return async (request) => {
    const { pathname } = new URL(request instanceof Request ? request.url : request);
    const answer = answers[pathname.replace("/api/2.0/mlflow/", "")];
    return Response.json(answer ?? { error_code: "ENDPOINT_NOT_FOUND" }, { status: answer ? 200 : 404 });
  };
}
