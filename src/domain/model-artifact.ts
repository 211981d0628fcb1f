import { MODEL_ARTIFACT_STATUSES, type ModelArtifactStatus } from "./words.ts";

/**
 * A model that a trial made, in the tags of its trial: `model_artifact.<id>.<field>`, so that it is folded, brought to
 * MLflow and merged with it as every tag is, and can be searched for there.
 */

export const MODEL_ARTIFACT_PREFIX = "model_artifact.";
const ID_CHARS = 16;
/** The original's. */
export const FIRST_SEMVER = "0.1.0";

export type ModelArtifact = {
  id: string;
  uri: string | null;
  checksum: string | null;
  bytes: number | null;
  status: ModelArtifactStatus;
  semver: string;
  spec_id: string | null;
};

/** By which of the trial's models an event means this one: by its checksum, else by its URI, as in the original. */
export function modelArtifactId({ checksum, uri }: { checksum?: string | undefined; uri: string }): string {
  if (checksum === undefined) return fnv1a(uri);
  return (checksum.split(":").at(-1) ?? "").toLowerCase().slice(0, ID_CHARS);
}

export function modelArtifactTag(id: string, field: string): string {
  return `${MODEL_ARTIFACT_PREFIX}${id}.${field}`;
}

/** The models that a trial's tags tell of, by id. A tag that was edited in MLflow to what nobody knows says nothing. */
export function modelArtifactsIn(tags: Iterable<readonly [string, string | null]>): ModelArtifact[] {
  const found = new Map<string, Map<string, string>>();
  for (const [key, value] of tags) {
    const [, id, field] = /^model_artifact\.([0-9a-f]{8,16})\.(\w+)$/.exec(key) ?? [];
    if (id === undefined || field === undefined || value === null) continue;
    const fields = found.get(id) ?? new Map<string, string>();
    found.set(id, fields.set(field, value));
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, fields]) => modelArtifact(id, fields));
}

function modelArtifact(id: string, fields: ReadonlyMap<string, string>): ModelArtifact {
  const bytes = Number(fields.get("bytes") ?? Number.NaN);
  return {
    id,
    uri: fields.get("uri") ?? null,
    checksum: fields.get("checksum") ?? null,
    bytes: Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null,
    status: MODEL_ARTIFACT_STATUSES.find((status) => status === fields.get("status")) ?? "created",
    semver: fields.get("semver") ?? FIRST_SEMVER,
    spec_id: fields.get("spec_id") ?? null,
  };
}

/** 64 bits of FNV-1a over UTF-8, in hex: a trial has few models, and what is folded is not to wait for a digest. */
function fnv1a(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(ID_CHARS, "0");
}
