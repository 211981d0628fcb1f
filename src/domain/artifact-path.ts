import { chars } from "./limits.ts";

/** MLflow's run and experiment stand before it in a file's name there. */
export const MAX_ARTIFACT_PATH_CHARS = 1_000;
/** What every file system and object store takes of one name. */
const MAX_SEGMENT_BYTES = 255;

const encoder = new TextEncoder();

/**
 * Why a file of a run must not be called so, or null. MLflow undoes escapes as often as there are any
 * (`validate_path_is_safe` in mlflow/utils/uri.py), so that a name with one would be another there, or lead out of the run.
 */
export function artifactPathProblem(path: string): string | null {
  if (path === "") return "must not be empty";
  if (chars(path) > MAX_ARTIFACT_PATH_CHARS) return `must have at most ${MAX_ARTIFACT_PATH_CHARS} characters`;
  if (!path.isWellFormed() || /\p{Cc}|\u2028|\u2029/u.test(path)) return "must not have control characters";
  if (/[\\#]/.test(path)) return "must not have a backslash or a #";
  if (/%[0-9a-f]{2}/i.test(path)) return "must not have an escape such as %2e: MLflow would undo it";
  if (/^(file:|[a-z]:\/)/i.test(path)) return "must be relative to the run";
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    return "must be a normal path: no leading, trailing or double slash, no '.' or '..' between slashes";
  if (parts.some((part) => encoder.encode(part).length > MAX_SEGMENT_BYTES))
    return `must have at most ${MAX_SEGMENT_BYTES} bytes between slashes`;
  return null;
}

/** Whether no part of a path stands for another place: in an address it would be gone before a server sees it. */
export function isStraight(path: string): boolean {
  return !path.split("/").some((part) => part === "." || part === "..");
}

/** A path in an address: its slashes stay, everything else is escaped. */
export function encodedPath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The directories that a file is in, the outermost first. */
export function directoriesOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}
