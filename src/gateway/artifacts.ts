import type { Context } from "hono";
import { servedRoot } from "../mlflow/artifacts.ts";
import { type Files, findFile, listFiles } from "../relay/artifacts/list.ts";
import { removeFiles } from "../relay/artifacts/remove.ts";
import type { Deps } from "../relay/deps.ts";
import { ownFile } from "../routes/artifacts/file.ts";
import { keepBody } from "../routes/artifacts/upload.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { PARTIAL_HEADER } from "../routes/door/partial.ts";
import { filesOf, modelById } from "../store/gateway/models.ts";
import { runById } from "../store/gateway/runs.ts";
import { touch } from "./get-run.ts";
import { useModel } from "./models.ts";
import { passOn } from "./passing/proxy.ts";
import { invalid, Refusal } from "./refusal.ts";
import type { ArtifactPlace } from "./requests/artifacts.ts";
import { showRun } from "./shown-run.ts";

/**
 * Files of the relay's runs and logged models, from its bucket first and from MLflow beside it. What belongs to one that
 * only MLflow has, and everything where no bucket is bound, is passed on.
 */

type Asked = { c: Context<AppEnv>; place: ArtifactPlace | null };

/** Takes a file; it goes to MLflow by itself. */
export async function putArtifact({ c, place }: Asked): Promise<object> {
  const owner = await ownerOf(c, place);
  if (place === null || owner === null) return passedOn(c);
  await keepBody(c, { id: owner.streamId, key: owner.key }, place.path);
  return {};
}

export async function getArtifact({ c, place }: Asked): Promise<Response> {
  const owner = await ownerOf(c, place);
  if (place === null || owner === null) return passedOn(c);
  const own = await ownFile(c.var.relay, c.req.raw, owner.streamId, place.path);
  if (own instanceof Response) return own;
  if (own === "elsewhere" && isInMlflow(owner)) return passedOn(c);
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `No such artifact: '${place.path}'`);
}

/** Removes a file, or everything in a directory; what is not there is no fault. */
export async function deleteArtifact({ c, place }: Asked): Promise<object> {
  const { relay } = c.var;
  const owner = await ownerOf(c, place);
  if (place === null || owner === null) return passedOn(c);
  if (place.path === "") throw invalid("Invalid path");
  const { removed, complete } = await removeFiles(relay, owner, place.path);
  if (complete) return {};
  if (removed === 0) {
    // Asked for once more, since the answer was lost: it is on its way to MLflow.
    const { kind } = await findFile(relay, owner.streamId, place.path);
    return kind === "removed" ? {} : passedOn(c);
  }
  c.header(PARTIAL_HEADER, "true");
  return {};
}

/** A directory of the artifact store, names relative to it; of what is none, nothing. */
export async function listStore({ c, place }: Asked): Promise<object> {
  const owner = await ownerOf(c, place);
  if (place === null || owner === null) return passedOn(c);
  const files = await listed(c, owner, place.path);
  return files.length === 0
    ? {}
    : { files: files.map((file) => ({ ...file, path: file.path.split("/").at(-1) ?? "" })) };
}

/** A directory of a run, or of a logged model, paths from its root. */
export async function listArtifacts({ c, place }: Asked): Promise<object> {
  const owner = await ownerOf(c, place);
  if (place === null || owner === null) return passedOn(c);
  const files = await listed(c, owner, place.path);
  const root_uri = await owner.root();
  return files.length === 0 ? { root_uri } : { root_uri, files };
}

/** Whose files are meant. `root`: where they are for clients. */
type Owner = Files & { streamId: number; key: string; root: () => Promise<string> };

function isInMlflow({ mlflowRunId, mlflowRoot }: Owner): boolean {
  return mlflowRunId !== null || mlflowRoot !== null;
}

/** MLflow leaves out a size of nothing. */
async function listed(c: Context<AppEnv>, owner: Owner, path: string) {
  const { files, mlflow } = await listFiles(c.var.relay, owner, path);
  if (mlflow === "away") c.header(PARTIAL_HEADER, "true");
  return files.map(({ path, isDir, bytes }) => ({
    path,
    is_dir: isDir,
    ...(bytes ? { file_size: bytes } : {}),
  }));
}

/** The run or model, where its files are kept here. Who asks for them has heard of it. */
export async function ownerOf(c: Context<AppEnv>, place: ArtifactPlace | null): Promise<Owner | null> {
  const { relay }: { relay: Deps } = c.var;
  if (place === null || relay.bucket === null) return null;
  if (place.ownerId.startsWith("m-")) return modelWithFiles(relay, place.ownerId);
  const run = await runById(relay.db, place.ownerId);
  if (run === null) return null;
  if (run.isGateways && run.touchedAt === null) await touch(relay, run.streamId);
  const { streamId, key, mlflowRunId } = run;
  const root = async () => run.artifactUri ?? (await showRun(relay, run)).artifactUri;
  return { streamId, key, mlflowRunId, mlflowRoot: null, root };
}

async function modelWithFiles(deps: Deps, id: string): Promise<Owner | null> {
  const model = await modelById(deps.db, id);
  if (model === null) return null;
  if (model.touchedAt === null) await useModel(deps, model.id);
  const { mlflowRoot, artifactUri } = model;
  return {
    streamId: filesOf(model),
    key: model.id,
    mlflowRunId: null,
    mlflowRoot: mlflowRoot === null ? null : servedRoot(mlflowRoot),
    root: async () => artifactUri,
  };
}

/** As what is answered here only in part is no reason for MLflow not to be asked. */
function passedOn(c: Context<AppEnv>): Promise<Response> {
  return passOn(c, () => null);
}
