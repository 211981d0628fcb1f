import { mlflowHeaders } from "../lib/mlflow-headers.ts";

const LIMIT_MS = 10_000;

/** Asks a tracking server for one experiment; answers what is wrong, or null if it answered. */
export async function checkMlflow(vars: Record<string, string>): Promise<string | null> {
  const base = (vars.MLFLOW_TRACKING_URI ?? "").replace(/\/+$/, "");
  try {
    const response = await fetch(`${base}/api/2.0/mlflow/experiments/search`, {
      method: "POST",
      headers: { "content-type": "application/json", ...mlflowHeaders(vars) },
      body: JSON.stringify({ max_results: 1 }),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    await response.body?.cancel();
    return response.ok ? null : `${base} answers ${response.status} ${response.statusText}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `${base} does not answer (${cause instanceof Error ? cause.message : String(cause)})`;
  }
}
