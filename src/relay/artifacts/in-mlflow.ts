import type { Result } from "../../mlflow/failure.ts";
import type { Artifact, Page } from "../../mlflow/types.ts";
import type { Deps } from "../deps.ts";

/** A server that has no last page is not believed. */
const MAX_PAGES = 20;

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

/** Whether MLflow has a file of this size. It says nothing of the size of an empty one. */
export async function isThere(
  mlflow: Deps["mlflow"],
  { runId, root, path, bytes }: { runId: string | null; root: string; path: string; bytes: number },
): Promise<Result<boolean>> {
  const directory = path.split("/").slice(0, -1).join("/");
  const listed = await (runId === null
    ? listStored(mlflow, root, directory)
    : listInMlflow(mlflow, runId, directory));
  if (!listed.ok) return listed;
  const value = listed.value.some((file) => !file.isDir && file.path === path && (file.bytes ?? 0) === bytes);
  return { ok: true, value };
}
