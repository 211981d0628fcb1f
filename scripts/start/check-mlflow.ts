import { mlflowTarget } from "../lib/mlflow-target.ts";

const LIMIT_MS = 10_000;

/**
 * Asks a tracking server for one experiment; answers what is wrong, or null if it answered.
 * @throws ConfigError for a wrong setting
 */
export async function checkMlflow(vars: Record<string, string>): Promise<string | null> {
  const { server, base, headers, clean } = mlflowTarget(vars);
  const request = new Headers(headers);
  request.set("content-type", "application/json");
  try {
    const response = await fetch(`${base}experiments/search`, {
      method: "POST",
      headers: request,
      body: JSON.stringify({ max_results: 1 }),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    await response.body?.cancel();
    return response.ok ? null : `${server} answers ${response.status} ${response.statusText}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return clean(`${server} does not answer (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}
