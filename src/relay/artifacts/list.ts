import type { Result } from "../../mlflow/failure.ts";
import type { Artifact as InMlflow } from "../../mlflow/types.ts";
import { type Artifact, artifactAt, listDirectory } from "../../store/artifacts/files.ts";
import { withDeadline } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { listInMlflow, listStored } from "./in-mlflow.ts";

/**
 * Whose files are meant: a stream's, a run's of MLflow's, or of both what they have together. `mlflowRoot`: in place of the
 * run, where MLflow's artifact store has those of something else.
 */
export type Files = { streamId: number | null; mlflowRunId: string | null; mlflowRoot?: string | null };

/** A file or directory; `own` is what the relay has of a file. */
export type FileListed = { path: string; isDir: boolean; bytes: number | null; own: Artifact | null };

/** MLflow's part: it is among them, or cannot be had just now, or there is no run in MLflow. */
export type Listing = { files: FileListed[]; mlflow: "listed" | "away" | "none" };

/** What the relay has of its own is not to wait longer for what MLflow has beside it. */
const BESIDE_MS = 2_000;

/**
 * What is in a directory of a run, sorted by path: the relay's own, and beside it what only MLflow has. What was removed
 * here counts as removed.
 * @param directory "" is the run's root
 */
export async function listFiles(
  deps: Deps,
  { streamId, mlflowRunId, mlflowRoot = null }: Files,
  directory: string,
): Promise<Listing> {
  const own =
    streamId === null ? { entries: [], removed: null } : await listDirectory(deps.db, streamId, directory);
  const files = new Map<string, FileListed>(
    own.entries.map(({ path, file }) => [
      path,
      { path, isDir: file === null, bytes: file?.bytes ?? null, own: file },
    ]),
  );
  const sorted = () => [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const asked =
    mlflowRoot !== null
      ? listStored(deps.mlflow, mlflowRoot, directory)
      : mlflowRunId !== null
        ? listInMlflow(deps.mlflow, mlflowRunId, directory)
        : null;
  if (asked === null) return { files: sorted(), mlflow: "none" };
  const theirs = await beside(asked);
  if (theirs === null) return { files: sorted(), mlflow: "away" };
  for (const { path, isDir, bytes } of theirs)
    if (!files.has(path) && (isDir || !own.removed?.has(path)))
      files.set(path, { path, isDir, bytes, own: null });
  return { files: sorted(), mlflow: "listed" };
}

/** Null where MLflow does not answer with a listing. A path that it does not take has nothing in it. */
async function beside(asked: Promise<Result<InMlflow[]>>) {
  try {
    const listed = await withDeadline(BESIDE_MS, asked);
    if (listed.ok) return listed.value;
    return listed.failure.kind === "gone" || listed.failure.kind === "invalid" ? [] : null;
  } catch {
    return null;
  }
}

/** A file whose bytes are here; or that it is not here: removed, or perhaps in MLflow. */
export type Found =
  | { kind: "here"; artifact: Artifact; bucket: R2Bucket; objectKey: string }
  | { kind: "removed" }
  | { kind: "elsewhere" };

/** Looks a file of a stream's up. */
export async function findFile({ db, bucket }: Deps, streamId: number, path: string): Promise<Found> {
  const artifact = await artifactAt(db, streamId, path);
  if (artifact?.removedAt != null) return { kind: "removed" };
  if (artifact?.objectKey == null || bucket === null) return { kind: "elsewhere" };
  return { kind: "here", artifact, bucket, objectKey: artifact.objectKey };
}
