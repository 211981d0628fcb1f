import { createHash } from "node:crypto";

/**
 * SHA-256 of a run's file as MLflow gives it; null while it does not. Of a file that is just being written MLflow tells a
 * length that is not its length any more, and then breaks the connection off: that is no answer either.
 * @param uri MLflow's address
 */
export async function storedDigest(uri: string, runId: string, path: string): Promise<string | null> {
  const at = new URLSearchParams({ run_id: runId, path });
  try {
    const there = await fetch(`${uri}/get-artifact?${at}`);
    const bytes = Buffer.from(await there.arrayBuffer());
    return there.ok ? createHash("sha256").update(bytes).digest("hex") : null;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
