import type { Context } from "hono";
import { findFile, listFiles } from "../relay/artifacts/list.ts";
import type { Deps } from "../relay/deps.ts";
import { sendArtifacts } from "../relay/messages.ts";
import { ownFile } from "../routes/artifacts/file.ts";
import { keepBody } from "../routes/artifacts/upload.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { drain } from "../routes/door/drain.ts";
import { removeArtifacts } from "../store/artifacts/keep.ts";
import { type KnownRun, runById } from "../store/gateway/runs.ts";
import { touch } from "./get-run.ts";
import { passOn } from "./passing/proxy.ts";
import { invalid, Refusal } from "./refusal.ts";
import type { ArtifactPlace } from "./requests/artifacts.ts";
import { showRun } from "./shown-run.ts";

/**
 * Files of the relay's runs, from its bucket first and from MLflow beside it. What belongs to a run that only MLflow has,
 * and everything where no bucket is bound, is passed on.
 */

type Asked = { c: Context<AppEnv>; place: ArtifactPlace | null };

/** Takes a file; it goes to MLflow by itself. */
export async function putArtifact({ c, place }: Asked): Promise<object> {
  const run = await ownRun(c, place);
  if (place === null || run === null) return passedOn(c);
  try {
    await keepBody(c, { id: run.streamId, key: run.key }, place.path);
  } catch (error) {
    await drain(c.req.raw);
    throw error;
  }
  return {};
}

export async function getArtifact({ c, place }: Asked): Promise<Response> {
  const run = await ownRun(c, place);
  if (place === null || run === null) return passedOn(c);
  const own = await ownFile(c.var.relay, c.req.raw, run.streamId, place.path);
  if (own instanceof Response) return own;
  if (own === "elsewhere" && run.mlflowRunId !== null) return passedOn(c);
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `No such artifact: '${place.path}'`);
}

/** Removes a file, or everything in a directory; what is not there is no fault. */
export async function deleteArtifact({ c, place }: Asked): Promise<object> {
  const { relay } = c.var;
  const run = await ownRun(c, place);
  if (place === null || run === null) return passedOn(c);
  if (place.path === "") throw invalid("Invalid path");
  const removed = await removeArtifacts(relay.db, run.streamId, place.path, relay.now());
  if (removed.length === 0 && run.mlflowRunId !== null) {
    // Asked for once more, since the answer was lost: it is on its way to MLflow.
    const { kind } = await findFile(relay, run.streamId, place.path);
    return kind === "removed" ? {} : passedOn(c);
  }
  await sendArtifacts(relay, removed);
  return {};
}

/** A directory of the artifact store, names relative to it; of what is none, nothing. */
export async function listStore({ c, place }: Asked): Promise<object> {
  const run = await ownRun(c, place);
  if (place === null || run === null) return passedOn(c);
  const files = await listed(c, run, place.path);
  return files.length === 0
    ? {}
    : { files: files.map((file) => ({ ...file, path: file.path.split("/").at(-1) ?? "" })) };
}

/** A directory of a run, paths from the run's root. */
export async function listArtifacts({ c, place }: Asked): Promise<object> {
  const run = await ownRun(c, place);
  if (place === null || run === null) return passedOn(c);
  const files = await listed(c, run, place.path);
  const root_uri = run.artifactUri ?? (await showRun(c.var.relay, run)).artifactUri;
  return files.length === 0 ? { root_uri } : { root_uri, files };
}

/** MLflow leaves out a size of nothing. */
async function listed(c: Context<AppEnv>, { streamId, mlflowRunId }: KnownRun, path: string) {
  const { files, mlflow } = await listFiles(c.var.relay, { streamId, mlflowRunId }, path);
  if (mlflow === "away") c.header("x-relay-partial", "true");
  return files.map(({ path, isDir, bytes }) => ({
    path,
    is_dir: isDir,
    ...(bytes ? { file_size: bytes } : {}),
  }));
}

/** The run, where its files are kept here. Who asks for them has heard of it. */
async function ownRun(c: Context<AppEnv>, place: ArtifactPlace | null): Promise<KnownRun | null> {
  const { relay }: { relay: Deps } = c.var;
  if (place === null || relay.bucket === null) return null;
  const run = await runById(relay.db, place.runId);
  if (run?.isGateways && run.touchedAt === null) await touch(relay, run.streamId);
  return run;
}

/** As what is answered here only in part is no reason for MLflow not to be asked. */
function passedOn(c: Context<AppEnv>): Promise<Response> {
  return passOn(c, () => null);
}
