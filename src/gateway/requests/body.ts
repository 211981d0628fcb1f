import { scanJson } from "../../domain/json-scan.ts";
import { MAX_JSON_DEPTH, MAX_REQUEST_VALUES } from "../../domain/limits.ts";
import { invalid } from "../refusal.ts";

/** A JSON object as it was sent. A bare NaN or infinity, as Python writes it, is that number. */
export type Raw = Readonly<Record<string, unknown>>;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
const BARE_WORDS = new Set(["NaN", "Infinity", "-Infinity"]);

/**
 * The JSON object of a request's body. As in MLflow, no body and null are an empty object, and a text that holds JSON
 * is read once more, because old clients encode twice. What MLflow answers with HTML, or takes for an empty object, is
 * refused: other JSON than an object, and what is no JSON in UTF-8.
 * @param contentType the header's value, null where it is missing
 * @throws Refusal
 */
export function readBody(contentType: string | null, bytes: Uint8Array): Raw {
  if (contentType === null) throw invalid("Bad Request. Content-Type header is missing.");
  if (contentType.split(";")[0] !== "application/json")
    throw invalid("Bad Request. Content-Type must be one of ['application/json'].");
  const text = decoded(bytes);
  if (text.trim() === "") return {};
  const once = parsed(text);
  const value = typeof once === "string" ? parsed(once) : once;
  if (value === null) return {};
  if (!isRaw(value)) throw invalid("Bad Request. The body must be a JSON object.");
  return value;
}

export function isRaw(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decoded(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw invalid("Bad Request. The body must be JSON in UTF-8.");
  }
}

function parsed(text: string): unknown {
  const scan = scanJson(text);
  if (scan.deep.size > 0) throw invalid(`Bad Request. The body must nest at most ${MAX_JSON_DEPTH} deep.`);
  if (scan.values > MAX_REQUEST_VALUES)
    throw invalid(`Bad Request. The body must hold at most ${MAX_REQUEST_VALUES} values.`);
  try {
    return scan.text === text ? JSON.parse(text) : JSON.parse(scan.text, bareNumbers);
  } catch {
    throw invalid("Bad Request. The body must be JSON.");
  }
}

/** The scan quotes a bare word with an escape in it, by which it is known from the same word in quotes. */
function bareNumbers(_key: string, value: unknown, { source }: { source?: string }): unknown {
  const isBare = typeof value === "string" && BARE_WORDS.has(value) && source !== `"${value}"`;
  return isBare ? Number(value) : value;
}
