import * as z from "zod";

/** A `fetch` behind which stands an MLflow that knows one run, with nothing in it. */
export function emptyMlflow(runId: string, experimentId: string): typeof fetch {
  let experiment = { experiment_id: experimentId, name: "two-moons", lifecycle_stage: "active" };
  const info = { run_id: runId, experiment_id: experimentId, status: "RUNNING", lifecycle_stage: "active" };
  const answers = (): Record<string, object> => ({
    "runs/get": { run: { info, data: {} } },
    "runs/search": {},
    "metrics/get-history": {},
    "experiments/get": { experiment },
    "experiments/get-by-name": { experiment },
    "experiments/search": {},
    "experiments/update": {},
    "artifacts/list": { root_uri: "mlflow-artifacts:/1" },
  });
  return async (request, init) => {
    const { pathname, searchParams } = new URL(request instanceof Request ? request.url : request);
    if (pathname === "/get-artifact")
      return new Response("weights", {
        headers: { "content-disposition": "attachment; filename=weights.bin" },
      });
    const endpoint = pathname.replace("/api/2.0/mlflow/", "");
    if (endpoint === "experiments/update") {
      const { new_name } = z.object({ new_name: z.string() }).parse(JSON.parse(String(init?.body)));
      experiment = { ...experiment, name: new_name };
    }
    if (endpoint === "experiments/get-by-name")
      experiment = { ...experiment, name: searchParams.get("experiment_name") ?? "" };
    const answer = answers()[endpoint];
    return Response.json(answer ?? { error_code: "ENDPOINT_NOT_FOUND" }, { status: answer ? 200 : 404 });
  };
}
