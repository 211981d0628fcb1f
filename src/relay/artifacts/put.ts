import type { Result } from "../../mlflow/failure.ts";
import type { Deps } from "../deps.ts";

/** A slower way to MLflow's artifact store than a megabyte a second is taken for none. */
const BYTES_A_MS = 1_000;

type Sent = {
  /** Where the run's files, or the model's, are in MLflow's artifact store. */
  root: string;
  path: string;
  body: ReadableStream<Uint8Array>;
  bytes: number;
  contentType: string;
};

/** Streams a file of a known length into MLflow's artifact store. */
export async function putInMlflow(
  { writes, config }: Pick<Deps, "writes" | "config">,
  { root, path, body, bytes, contentType }: Sent,
): Promise<Result<void>> {
  // A length lets MLflow, and what stands before it, tell a whole body from a broken one.
  const { readable, writable } = new FixedLengthStream(bytes);
  const piped = body.pipeTo(writable).catch(() => undefined);
  const timeoutMs = config.mlflow.timeoutMs + Math.ceil(bytes / BYTES_A_MS);
  const put = await writes.putArtifact({ root, path, body: readable, contentType, timeoutMs });
  // What was not sent has no reader.
  if (!put.ok) await readable.cancel().catch(() => undefined);
  await piped;
  return put;
}
