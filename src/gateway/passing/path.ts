import { unescapedOnce } from "../../domain/artifact-path.ts";
import { invalid } from "../refusal.ts";

/** How often something may have been encoded that is to be seen for what it is. */
const MAX_CODINGS = 8;

/**
 * The segments of an address's path, decoded. Whatever some server on the way could take for a way up, or for another
 * path than this, is refused: a segment that is empty or dots, a slash or a control character in it, however often encoded.
 * @throws Refusal INVALID_PARAMETER_VALUE
 */
export function segmentsOf(pathname: string): string[] {
  const segments = pathname.replace(/^\//, "").replace(/\/$/, "").split("/").map(decodedOnce);
  return segments.map(checked);
}

/** The same of a path that is a value, and was decoded with it; nothing has no segments. */
export function segmentsIn(path: string): string[] {
  return path === "" ? [] : path.replace(/\/$/, "").split("/").map(checked);
}

/** What has files of its own: a run, a logged model, a trace. */
const OWNER = /^(?:m-|tr-)?[0-9a-f]{32}$/;

/**
 * Where in the path of a file below MLflow's artifact proxy its run or logged model stands, such as in
 * `<experiment>/<run>/artifacts/model` or `<experiment>/models/<model>/artifacts/MLmodel`; -1 where it is of neither. What
 * is below a model's or trace's files is called as its maker likes.
 */
export function ownerAt(segments: readonly string[]): number {
  const at = segments.findIndex((segment, i) => OWNER.test(segment) && segments[i + 1] === "artifacts");
  return segments[at]?.startsWith("tr-") ? -1 : at;
}

/** An address's path of such segments. */
export function pathOf(segments: readonly string[]): string {
  return `/${segments.map((segment) => encodeURIComponent(segment.toWellFormed())).join("/")}`;
}

function checked(segment: string): string {
  let text = segment;
  for (let coding = 0; ; coding++) {
    if (coding === MAX_CODINGS || isUnsafe(text, coding)) throw invalid("Invalid path");
    const inner = unescapedOnce(text);
    if (inner === text) return segment;
    text = inner;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: just these are refused.
const CONTROL = /[\\\u0000-\u001f\u007f]/;
/** Those that MLflow or what is on the way would drop, or read as an end. Others it keeps as the escapes that they are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: just these are refused.
const CUTTING = /[\\\u0000\t\n\r]/;

/** A name may hold an encoded slash as its own characters; what is between its slashes must not lead up all the same. */
function isUnsafe(text: string, coding: number): boolean {
  const parts = text.split("/");
  return (
    text === "" ||
    (coding === 0 && parts.length > 1) ||
    parts.some((part) => part === "." || part === "..") ||
    (coding === 0 ? CONTROL : CUTTING).test(text)
  );
}

function decodedOnce(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid("Invalid path");
  }
}
