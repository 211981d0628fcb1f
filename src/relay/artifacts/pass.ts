import { wrongChecksum } from "../../domain/checksums.ts";
import { mediaTypeOf } from "../../domain/media-type.ts";
import { servedRoot } from "../../mlflow/artifacts.ts";
import type { Deps } from "../deps.ts";
import { Digests } from "./digests.ts";
import type { Upload } from "./keep.ts";
import { putInMlflow } from "./put.ts";

type File = Pick<Upload, "path" | "body" | "contentType" | "checksums"> & { length: number };

/** What became of a file that only MLflow could keep. */
export type Passed =
  | { kind: "passed"; path: string; bytes: number; sha256: string; contentType: string }
  | { kind: "wrong_checksum"; header: string; hex: string }
  | { kind: "refused"; reason: string };

/** Streams a file through to a run in MLflow, where there is no bucket to keep it in; its digests are taken on the way. */
export async function passFile(deps: Deps, runId: string, file: File): Promise<Passed> {
  const { path, body, length, checksums } = file;
  const run = await deps.mlflow.getRun(runId);
  if (!run.ok) return { kind: "refused", reason: run.failure.message };
  const root = servedRoot(run.value.info.artifactUri ?? "");
  if (root === null) return { kind: "refused", reason: "MLflow does not serve this run's files itself" };
  const digests = new Digests();
  const { readable, writable } = new FixedLengthStream(length);
  const sent = (body ?? new Blob([]).stream())
    .pipeThrough(digests.through())
    .pipeTo(writable)
    .catch(() => undefined);
  const contentType = mediaTypeOf(file.contentType, path);
  const put = await putInMlflow(deps, { root, path, body: readable, bytes: length, contentType });
  await sent;
  if (!put.ok) return { kind: "refused", reason: put.failure.message };
  const hex = await digests.hex();
  const wrong = wrongChecksum(checksums, hex);
  if (!wrong) return { kind: "passed", path, bytes: length, sha256: hex.sha256, contentType };
  await deps.writes.deleteArtifact({ root, path });
  return wrong;
}
