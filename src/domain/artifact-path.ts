import { chars } from "./limits.ts";
import { shortened } from "./shown.ts";

/** MLflow's run and experiment stand before it in a file's name there. */
export const MAX_ARTIFACT_PATH_CHARS = 1_000;
/** What every file system and object store takes of one name. */
const MAX_SEGMENT_BYTES = 255;

const SHOWN_CHARS = 100;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/**
 * Why a file of a run must not be called so, or null. What MLflow would call otherwise is no name: it would be another
 * there, or lead out of the run.
 */
export function artifactPathProblem(path: string): string | null {
  if (path === "") return "must not be empty";
  if (chars(path) > MAX_ARTIFACT_PATH_CHARS) return `must have at most ${MAX_ARTIFACT_PATH_CHARS} characters`;
  if (!path.isWellFormed() || /\p{Cc}|\u2028|\u2029/u.test(path)) return "must not have control characters";
  if (/[\\#]/.test(path)) return "must not have a backslash or a #";
  const theirs = nameInMlflow(path);
  if (theirs !== path)
    return `must not have an escape such as %2e, or an end such as ?: MLflow would call it "${shortened(theirs, SHOWN_CHARS)}"`;
  if (/^(file:|[a-z]:\/)/i.test(path)) return "must be relative to the run";
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    return "must be a normal path: no leading, trailing or double slash, no '.' or '..' between slashes";
  if (parts.some((part) => encoder.encode(part).length > MAX_SEGMENT_BYTES))
    return `must have at most ${MAX_SEGMENT_BYTES} bytes between slashes`;
  return null;
}

const EMPTY_QUERY = /^([^?]*)\?$/;
const EMPTY_PARAMETERS = /^((?:[^?]*\/)?[^;/?]*);(?=$|\?)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: just these have escapes.
const CONTROL = /[\u0000-\u001f\u007f]/g;

/**
 * What MLflow calls a file that it is given under this name (`validate_path_is_safe` in mlflow/utils/uri.py): it undoes
 * escapes as often as there are any, but for those of control characters, and leaves out an empty query or parameter
 * of an address at the end. A name of its image logging, `a%step%1%timestamp%1795764797601%b.png`, thus stays.
 */
export function nameInMlflow(path: string): string {
  let name = path;
  for (;;) {
    const inner = unescapedOnce(name)
      .replaceAll(/[\t\n\r]/g, "")
      .replace(EMPTY_QUERY, "$1")
      .replace(EMPTY_PARAMETERS, "$1");
    if (inner === name) break;
    name = inner;
  }
  return name.replaceAll(CONTROL, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Python's `unquote`. */
export function unescapedOnce(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    decoder.decode(Uint8Array.from(escapes.slice(1).split("%"), (hex) => Number.parseInt(hex, 16))),
  );
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
