import { isPythonWord } from "./python-word.ts";

/**
 * Limits that are checked before the acknowledgement, so that nothing acknowledged can be refused later.
 * MLflow's are those of its validation and of the narrowest supported database column (PostgreSQL).
 */
export const MAX_REQUEST_BYTES = 5_000_000;
export const MAX_REQUEST_EVENTS = 5_000;
/** What is parsed at once must fit into a Worker's 128 MB beside everything else: so many numbers, texts, lists, objects. */
export const MAX_REQUEST_VALUES = 250_000;
/** What a request's events come to once their names are flattened, metrics included: D1 must take it within seconds. */
export const MAX_REQUEST_FLAT_BYTES = 10_000_000;
/** What a request's events have in the ledger of their warnings, beside the first of each: a few bytes can make one. */
export const MAX_REQUEST_WARNINGS = 5_000;
/** The metrics with a step of one event, flattened: about ten thousand, which one delivery can hold. */
export const MAX_EVENT_POINT_BYTES = 1_000_000;
/** How deep JSON may nest anywhere: well under SQLite's 1,000 levels and any stack. */
export const MAX_JSON_DEPTH = 100;
/** One event, without its metrics, is one row and part of one statement: well below D1's 1 MB of JSON. */
export const MAX_EVENT_BYTES = 256_000;

export const MAX_ID_CHARS = 250;
export const MAX_EVENT_ID_CHARS = 255;
export const MAX_KEY_CHARS = 250;
export const MAX_PARAM_VALUE_CHARS = 6_000;
export const MAX_TAG_VALUE_CHARS = 8_000;
export const MAX_EXPERIMENT_NAME_CHARS = 256;
export const MAX_RUN_NAME_CHARS = 250;
export const MAX_USER_CHARS = 256;
export const MAX_URI_CHARS = 2_048;
/** MLflow's client and database take int64 steps; JSON from most trainers is exact only up to here. */
export const MAX_STEP = Number.MAX_SAFE_INTEGER;
export const MIN_STEP = Number.MIN_SAFE_INTEGER;
/** 2000-01-01: no trainer is older, but many a clock that was never set. */
export const MIN_TIME_MS = 946_684_800_000;
/** The year 9999: beyond it ISO 8601 has no four-digit year, and a time is a mistake. */
export const MAX_TIME_MS = 253_402_300_799_999;
/** How deep metrics and parameters may nest before they are flattened. */
export const MAX_DEPTH = 16;

/** MLflow's limits of one log-batch call. */
export const BATCH_MAX_ITEMS = 1_000;
export const BATCH_MAX_PARAMS = 100;
export const BATCH_MAX_TAGS = 100;
/** MLflow documents 1 MB; the rest is left for the envelope. */
export const BATCH_MAX_BYTES = 900_000;

/** Python's `\w` (letters, numbers, underscore) and MLflow's other allowed characters, as far as ASCII goes. */
const ASCII_KEY = /^[\w\-./: ]+$/;
const BESIDE_WORDS = "-./: ";

/** Length as MLflow counts it: in code points. */
export function chars(text: string): number {
  if (text.length <= 125) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Cuts to at most `max` code points. */
export function cut(text: string, max: number): string {
  // No character takes more than two units, so that what is far longer need not be gone through.
  if (chars(text.slice(0, 2 * max + 1)) <= max) return text;
  return [...text.slice(0, 2 * max)].slice(0, max).join("");
}

/**
 * Why MLflow would refuse this metric, parameter or tag key, or null when it would take it.
 * Source: `_validate_metric_name` and its siblings in mlflow/utils/validation.py.
 */
export function keyProblem(key: string): string | null {
  if (key === "") return "must not be empty";
  if (key === "__proto__") return "must not be __proto__";
  if (chars(key) > MAX_KEY_CHARS) return `must have at most ${MAX_KEY_CHARS} characters`;
  if (!hasKeyCharacters(key))
    return "may only contain letters, digits, underscores, dashes, dots, slashes, colons and spaces";
  const parts = key.split("/");
  if (key.startsWith("..") || parts.some((part) => part === "" || part === "." || part === ".."))
    return "must be a normal path: no leading, trailing or double slash, no '.' or '..' between slashes, no leading '..'";
  return null;
}

function hasKeyCharacters(key: string): boolean {
  return (
    ASCII_KEY.test(key) ||
    [...key].every((character) => BESIDE_WORDS.includes(character) || isPythonWord(character))
  );
}
