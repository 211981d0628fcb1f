import { removeArtifacts } from "../../store/artifacts/remove.ts";
import { withDeadline } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { artifactMessage } from "../messages.ts";
import { tryEnqueueAll } from "../queues.ts";
import { filesUnder, listInMlflow, listStored } from "./in-mlflow.ts";
import type { Files } from "./list.ts";

/** Whoever asks waits no longer for what MLflow has. */
const LOOK_MS = 5_000;

/** How many files were removed; `complete`: whatever only MLflow has there is among them. */
export type Removed = { removed: number; complete: boolean };

/**
 * Removes a file, or everything in a directory: here at once, in MLflow by hand-over. What only MLflow has goes the same
 * way, so that no late deletion ever meets a file that came after it.
 */
export async function removeFiles(
  deps: Deps,
  { streamId, ...files }: Files & { streamId: number },
  path: string,
): Promise<Removed> {
  const theirs = await inMlflow(deps, files, path);
  const removed = await removeArtifacts(deps.db, { streamId, path, theirs: theirs ?? [] }, deps.now());
  await tryEnqueueAll(deps, removed.map(artifactMessage));
  return { removed: removed.length, complete: theirs !== null };
}

/** Null where MLflow cannot tell just now, or has more than can be looked for. */
async function inMlflow(
  { mlflow }: Deps,
  { mlflowRunId, mlflowRoot = null }: Pick<Files, "mlflowRunId" | "mlflowRoot">,
  path: string,
): Promise<string[] | null> {
  const list =
    mlflowRoot !== null
      ? (directory: string) => listStored(mlflow, mlflowRoot, directory)
      : mlflowRunId !== null
        ? (directory: string) => listInMlflow(mlflow, mlflowRunId, directory)
        : null;
  if (list === null) return [];
  try {
    const found = await withDeadline(LOOK_MS, filesUnder(list, path));
    if (found.ok) return found.value;
    return found.failure.kind === "gone" || found.failure.kind === "invalid" ? [] : null;
  } catch {
    return null;
  }
}
