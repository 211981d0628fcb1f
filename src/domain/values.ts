import { literalMeaning } from "./literal.ts";

/** Special doubles as MLflow and our tables write them; a plain number stays a number. */
export type WireNumber = number | string;

/** A double for JSON and D1, neither of which has NaN or infinities. */
export function toWire(value: number): WireNumber {
  if (Number.isFinite(value)) return value === 0 ? 0 : value;
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

/** The double behind a `WireNumber`. */
export function fromWire(value: WireNumber): number {
  return typeof value === "number" ? value : Number(value);
}

/**
 * A total order of values, with NaN where 0 is: MLflow stores it so and compares what it stored. Right below 0, so that
 * no order of arrival matters.
 */
export function compareValues(a: number, b: number): number {
  return (a || 0) - (b || 0) || Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

/** Python's spelling and JSON's (or JavaScript's) of the same thing. */
const WORDS: Record<string, string> = {
  True: "true",
  False: "false",
  None: "null",
  nan: "NaN",
  inf: "Infinity",
  "-inf": "-Infinity",
};

/** No digit can be read in two ways, so that a long text that is no number is soon given up. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** What a parameter's text means, so that Python's and JSON's spelling of one value can be compared. */
function meaning(text: string): string {
  const trimmed = text.trim();
  const word = WORDS[trimmed];
  if (word !== undefined) return word;
  if (DECIMAL.test(trimmed)) return numberMeaning(trimmed);
  if (/^[[{(]/.test(trimmed)) return literalMeaning(trimmed, numberMeaning) ?? trimmed;
  return text;
}

/** Whole numbers by all their digits, however written: a 64-bit seed is more than a double can tell apart. */
function numberMeaning(text: string): string {
  const value = Number(text);
  if (/^[+-]?\d+$/.test(text)) return `whole:${BigInt(text.replace("+", ""))}`;
  return Number.isInteger(value) ? `whole:${BigInt(value)}` : `number:${value}`;
}

/** Equal in meaning: `1` and `1.0`, `True` and `true`, `1e-4` and `0.0001`, `[1, 2]` and `[1,2]`. */
export function sameMeaning(a: string, b: string): boolean {
  return a === b || meaning(a) === meaning(b);
}

/** JSON with sorted keys, the same for two bodies that differ in key order only. Bigints are plain digits. */
export function canonicalJson(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`);
    return `{${entries.join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
