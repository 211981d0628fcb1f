import { segmentsIn, segmentsOf } from "../passing/path.ts";
import { invalid } from "../refusal.ts";
import { type ArtifactPlace, placeOf } from "./artifacts.ts";
import type { Raw } from "./body.ts";
import { int64, listOf, message, text, verbatim } from "./message.ts";
import { endpoint, readJson } from "./schema.ts";

/** Requests about files in parts, as MLflow's clients send what is large: `mlflow-artifacts/mpu/...`. */

/** Of an address below `/api/2.0/mlflow-artifacts/mpu/create/`. */
const SEGMENTS_BEFORE = 5;
/** 5 GB of the least that the bucket takes of a part, 5 MiB. */
const MAX_PARTS = 1_000;
/** How a path of Windows begins: its own slashes are others. */
const OF_WINDOWS = /^[A-Za-z]:[\\/]|^\\\\/;

const CREATE = endpoint(
  { path: verbatim, num_parts: int64 },
  ["path", "text", "required"],
  ["num_parts", "int", "required"],
);
const COMPLETE = endpoint(
  { path: verbatim, upload_id: text, parts: listOf(message({ part_number: int64, etag: text, url: text })) },
  ["path", "text", "required"],
  ["upload_id", "text", "required"],
  ["parts", "list", "required"],
);
const ABORT = endpoint(
  { path: verbatim, upload_id: text },
  ["path", "text", "required"],
  ["upload_id", "text", "required"],
);

/**
 * Where a file is to be: its name is the end of the path that it has on its client's machine, its directory in the address.
 * Null where the address is of no run or logged model.
 */
function placeIn(pathname: string, path: string): ArtifactPlace | null {
  const name = path.split(OF_WINDOWS.test(path) ? /[\\/]/ : "/").at(-1) ?? "";
  if (name === "") throw invalid("Invalid path");
  return placeOf([...segmentsOf(pathname).slice(SEGMENTS_BEFORE), ...segmentsIn(name)]);
}

/** POST mpu/create/<directory> */
export function readCreateUpload(pathname: string, body: Raw) {
  const { path = "", num_parts: parts = 0 } = readJson(CREATE, body);
  if (parts < 1 || parts > MAX_PARTS)
    throw invalid(
      `Invalid value ${parts} for parameter 'num_parts' supplied: it must be from 1 to ${MAX_PARTS}, in parts of equal size and at least 5 MiB.`,
    );
  return { place: placeIn(pathname, path), parts };
}

/** POST mpu/complete/<directory> */
export function readCompleteUpload(pathname: string, body: Raw) {
  const { path = "", upload_id: uploadId = "", parts = [] } = readJson(COMPLETE, body);
  return {
    place: placeIn(pathname, path),
    uploadId,
    parts: parts.map(({ part_number: number = 0, etag = "" }) => ({ number, etag })),
  };
}

/** POST mpu/abort/<directory> */
export function readAbortUpload(pathname: string, body: Raw) {
  const { path = "", upload_id: uploadId = "" } = readJson(ABORT, body);
  return { place: placeIn(pathname, path), uploadId };
}
