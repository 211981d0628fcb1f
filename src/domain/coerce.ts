import { isMap } from "./flatten.ts";
import { readText } from "./text.ts";
import { canonicalJson, fromWire } from "./values.ts";

/**
 * Values that say what a field wants in another form, as their loggers and serialisers write them. Each function gives
 * the value in the field's own form, or undefined where none has the same meaning.
 */

/** No digit can be read in two ways, so that a long text that is no number is soon given up. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const SPECIAL = /^([+-]?)(nan|inf(?:inity)?)$/i;
/** How NumPy 2 prints a scalar. */
const NUMPY_SCALAR = /^(?:np|numpy)\.[a-z]+\d*\((.*)\)$/;
/** Longer than any double is written; each level of NumPy's names in it would be looked at again. */
const MAX_NUMBER_CHARS = 1_000;
/** Maps, since a trainer's word may be the name of what every object has. */
const WORDS = new Map<unknown, boolean>([
  ["true", true],
  ["false", false],
  ["yes", true],
  ["no", false],
  ["1", true],
  ["0", false],
  [1, true],
  [0, false],
]);

/** A number from its text as Python's `float` reads it, or from true or false. Never beyond a double's range. */
export function toNumber(value: unknown): number | undefined {
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string" || value.length > MAX_NUMBER_CHARS) return undefined;
  const text = value.trim();
  const special = SPECIAL.exec(text);
  if (special) {
    const [, sign, word = ""] = special;
    return fromWire(/^n/i.test(word) ? "NaN" : sign === "-" ? "-Infinity" : "Infinity");
  }
  if (DECIMAL.test(text)) {
    const number = Number(text);
    return Number.isFinite(number) ? number : undefined;
  }
  const scalar = NUMPY_SCALAR.exec(text)?.[1];
  return scalar === undefined ? undefined : toNumber(scalar);
}

/** A whole number from its text, `"50"` or `"50.0"`. */
export function toWhole(value: unknown): number | undefined {
  return typeof value === "string" ? toNumber(value) : undefined;
}

/** The nearest whole number, for a measure in small units. */
export function toRounded(value: unknown): number | undefined {
  const number = typeof value === "number" ? value : toWhole(value);
  return number !== undefined && number >= 0 ? Math.round(number) : undefined;
}

const RUN_STATES = new Map([
  ["complete", "completed"],
  ["finished", "completed"],
  ["succeeded", "completed"],
  ["canceled", "cancelled"],
  ["killed", "cancelled"],
]);

/** How a model run ended, in the words of MLflow, of the trials' statuses, or in capitals. */
export function toRunState(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const word = value.toLowerCase();
  return RUN_STATES.get(word) ?? word;
}

export function toFlag(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  return WORDS.get(typeof value === "string" ? value.toLowerCase() : value);
}

/** Text of a number or of true and false; of a list of texts its lines; of anything else its JSON. */
export function toText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((line) => typeof line === "string"))
    return value.map((line) => line.replace(/\n$/, "")).join("\n");
  return canonicalJson(value);
}

/** A list of texts, where one stands for itself; what says nothing is left out. */
export function toTexts(value: unknown): string[] | undefined {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) return undefined;
  return value.filter((item) => item !== null).map(toText);
}

/** Who acts, from an id alone. */
export function toActor(value: unknown): { id: string } | undefined {
  if (isMap(value)) return undefined;
  return typeof value === "string" || typeof value === "number" ? { id: String(value) } : undefined;
}

/** Text that MLflow takes, of at most `max` characters; nothing of what says nothing. */
export function toShortText(max: number): (value: unknown) => string | undefined {
  return (value) =>
    typeof value === "string" || typeof value === "number" || typeof value === "bigint"
      ? readText(String(value), max).text
      : undefined;
}

/** Epoch milliseconds from their text, or with a fraction. */
export function toMoment(value: unknown): number | undefined {
  const number = typeof value === "number" ? value : toWhole(value);
  return number !== undefined && Number.isFinite(number) ? Math.round(number) : undefined;
}
