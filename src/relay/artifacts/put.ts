import type { Result } from "../../mlflow/failure.ts";
import type { Deps } from "../deps.ts";

/** A slower way to MLflow's artifact store than a megabyte a second is taken for none. */
const BYTES_A_MS = 1_000;

/** How long a file may be on its way to or from MLflow, ms: no longer than its invocation lasts. */
export function transferMs({ config, budget }: Pick<Deps, "config" | "budget">, bytes: number): number {
  const patienceMs = config.mlflow.timeoutMs + Math.ceil(bytes / BYTES_A_MS);
  return Math.max(0, Math.min(patienceMs, budget.msLeft));
}

type Sent = {
  /** Where the run's files, or the model's, are in MLflow's artifact store. */
  root: string;
  path: string;
  /** Of a known length, by which MLflow, and what stands before it, tell a whole body from a broken one. */
  body: ReadableStream<Uint8Array>;
  bytes: number;
  contentType: string;
};

/** Streams a file into MLflow's artifact store. */
export async function putInMlflow(
  deps: Pick<Deps, "writes" | "config" | "budget">,
  { root, path, body, bytes, contentType }: Sent,
): Promise<Result<void>> {
  const timeoutMs = transferMs(deps, bytes);
  const put = await deps.writes.putArtifact({ root, path, body, contentType, timeoutMs });
  // What was not sent has no reader.
  if (!put.ok) await body.cancel().catch(() => undefined);
  return put;
}
