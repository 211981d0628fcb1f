import { type Result, unanswered } from "../../mlflow/failure.ts";
import type { Artifact, Page } from "../../mlflow/types.ts";
import type { Deps } from "../deps.ts";
import { transferMs } from "./put.ts";

/** A server that has no last page is not believed. */
const MAX_PAGES = 20;
const READ = { access: "read", target: "id" } as const;
/** What is larger is looked up in a listing of its directory, which costs less than it did to send, however many are in it. */
const READ_BACK_BYTES = 1_000_000;
/** So many directories are looked into for what is in one. */
const MAX_DIRECTORIES = 100;

/** A directory of a run in MLflow, all of its pages. */
export async function listInMlflow(
  mlflow: Deps["mlflow"],
  runId: string,
  directory: string,
): Promise<Result<Artifact[]>> {
  const files: Artifact[] = [];
  let pageToken: string | null = null;
  for (let page = 0; page < MAX_PAGES; page++) {
    const listed: Result<Page<Artifact>> = await mlflow.listArtifacts({
      runId,
      ...(directory === "" ? {} : { path: directory }),
      ...(pageToken === null ? {} : { pageToken }),
    });
    if (!listed.ok) return listed;
    files.push(...listed.value.items);
    pageToken = listed.value.nextPageToken;
    if (pageToken === null) break;
  }
  return { ok: true, value: files };
}

/** A directory below a root of MLflow's artifact store, paths from that root. */
export async function listStored(
  mlflow: Deps["mlflow"],
  root: string,
  directory: string,
): Promise<Result<Artifact[]>> {
  const prefix = directory === "" ? "" : `${directory}/`;
  const listed = await mlflow.listStored(directory === "" ? root : `${root}/${directory}`);
  if (!listed.ok) return listed;
  return { ok: true, value: listed.value.map((file) => ({ ...file, path: prefix + file.path })) };
}

/**
 * All files that a path stands for, itself or within it; null where there are more than anybody looks for.
 * @param list lists a directory
 */
export async function filesUnder(
  list: (directory: string) => Promise<Result<Artifact[]>>,
  path: string,
): Promise<Result<string[] | null>> {
  const beside = await list(directoryOf(path));
  if (!beside.ok) return beside;
  const found = beside.value.find((entry) => entry.path === path);
  if (!found?.isDir) return { ok: true, value: found ? [path] : [] };
  const files: string[] = [];
  const directories = [path];
  for (const directory of directories) {
    if (directories.length > MAX_DIRECTORIES) return { ok: true, value: null };
    const listed = await list(directory);
    if (!listed.ok) return listed;
    for (const entry of listed.value) (entry.isDir ? directories : files).push(entry.path);
  }
  return { ok: true, value: files };
}

type Sent = { path: string; bytes: number; sha256: string };

type Reading = Pick<Deps, "mlflow" | "config" | "budget">;

/**
 * Whether MLflow has a file as it was sent: small ones of runs are read back, of others the size is looked at.
 * @param runId null: it is something else's, below a root of the artifact store
 */
export function isThere(
  deps: Reading,
  { runId, root, ...file }: Sent & { runId: string | null; root: string },
): Promise<Result<boolean>> {
  const directory = directoryOf(file.path);
  if (runId === null) return isListed(listStored(deps.mlflow, root, directory), file);
  return file.bytes > READ_BACK_BYTES
    ? isListed(listInMlflow(deps.mlflow, runId, directory), file)
    : isReadBack(deps, { runId, ...file });
}

/**
 * Whether MLflow has a large file of a run's all the same, where the answer to sending it was lost: to read it back costs
 * MLflow less than to take it again. A small one is simply sent again.
 */
export async function isThereAlready(deps: Reading, file: Sent & { runId: string }): Promise<boolean> {
  if (file.bytes <= READ_BACK_BYTES) return false;
  const listed = await isListed(listInMlflow(deps.mlflow, file.runId, directoryOf(file.path)), file);
  if (!listed.ok || !listed.value) return false;
  const read = await isReadBack(deps, file);
  return read.ok && read.value;
}

/** MLflow says nothing of the size of an empty file. */
async function isListed(
  listing: Promise<Result<Artifact[]>>,
  { path, bytes }: Sent,
): Promise<Result<boolean>> {
  const listed = await listing;
  if (!listed.ok) return listed;
  const isSame = (file: Artifact) => !file.isDir && file.path === path && (file.bytes ?? 0) === bytes;
  return { ok: true, value: listed.value.some(isSame) };
}

async function isReadBack(
  deps: Reading,
  { runId, path, bytes, sha256 }: Sent & { runId: string },
): Promise<Result<boolean>> {
  const { mlflow } = deps;
  const opened = await mlflow.openArtifact({ runId, path });
  if (!opened.ok) {
    if (opened.failure.kind !== "gone") return opened;
    // The file, or the whole run.
    const run = await mlflow.getRun(runId);
    return run.ok ? { ok: true, value: false } : run;
  }
  const digests = new crypto.DigestStream("SHA-256");
  digests.digest.catch(() => undefined);
  try {
    const signal = AbortSignal.timeout(transferMs(deps, bytes));
    await (opened.value.body ?? new Blob([]).stream()).pipeTo(digests, { signal });
    return { ok: true, value: new Uint8Array(await digests.digest).toHex() === sha256 };
  } catch {
    return { ok: false, failure: unanswered(READ, "a file that was sent could not be read back whole") };
  }
}

function directoryOf(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}
