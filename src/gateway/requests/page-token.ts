import { pythonText, quoted } from "../../domain/python.ts";
import { invalid } from "../refusal.ts";
import { isRaw } from "./body.ts";
import { own } from "./message.ts";
import { pythonInt } from "./python.ts";

const NOT_BASE64 = /[^A-Za-z0-9+/=]/g;
const QUAD = 4;
/** Beyond it a token says nothing more to anybody, and a function takes only so many characters at once. */
const SHOWN_BYTES = 10_000;

/** A row in a list that is in order of a number, such as a time, and then of its id. */
export type Place = { by: number; id: string };

/**
 * From where a page goes on, by the token that the page before ended with: base64 of `{"offset": n}`. No token, or an
 * empty one, begins at 0.
 * @throws Refusal in MLflow's words (mlflow/utils/search_utils.py)
 */
export function offsetOf(token = ""): number {
  return token === "" ? 0 : offsetIn(parsed(fromBase64(token)));
}

/** The same, and the row behind which it goes on, where the relay has written that into the token. */
export function pageOf(token = ""): { offset: number; after?: Place } {
  if (token === "") return { offset: 0 };
  const value = parsed(fromBase64(token));
  const offset = offsetIn(value);
  const after = placeIn(value);
  return after === null ? { offset } : { offset, after };
}

function placeIn(value: unknown): Place | null {
  const after = isRaw(value) ? own(value, "after") : undefined;
  if (!Array.isArray(after)) return null;
  const [by, id] = after;
  return typeof by === "number" && typeof id === "string" ? { by, id } : null;
}

function offsetIn(value: unknown): number {
  const offset = isRaw(value) ? own(value, "offset") : undefined;
  const number = typeof offset === "string" ? pythonInt(offset) : offset;
  if (number === null && typeof offset === "string")
    throw invalid(`Invalid page token, not stringable ${offset}`);
  // MLflow's database takes an offset before the first row for the first row, or raises.
  if (typeof number !== "number" || !(number >= 1) || !Number.isFinite(number))
    throw invalid(`Invalid page token, parsed value=${pythonText(value, {}, "", new Map())}`);
  // There is nothing behind this, and the database counts no further than int64.
  return Math.min(Math.trunc(number), Number.MAX_SAFE_INTEGER);
}

/** As Python's `b64decode`, which passes over other characters and looks at the padding. */
function fromBase64(token: string): Uint8Array {
  const [data = ""] = /^[^=]*/.exec(token.replace(NOT_BASE64, "")) ?? [];
  const padding = token.replace(/[^=]/g, "").length;
  const rest = data.length % QUAD;
  if (rest === 1 || (rest > 0 && padding < QUAD - rest))
    throw invalid("Invalid page token, could not base64-decode");
  return Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch {
    throw invalid(`Invalid page token, decoded value=${bytesRepr(bytes)}`);
  }
}

/** Bytes as `repr` writes them, in which no byte beyond ASCII is a character. */
function bytesRepr(bytes: Uint8Array): string {
  const text = quoted(String.fromCharCode(...bytes.subarray(0, SHOWN_BYTES)));
  return `b${text.replace(/[\u0080-\u00ff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`)}`;
}
