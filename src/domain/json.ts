import { type Scan, scanJson } from "./json-scan.ts";
import { MAX_JSON_DEPTH, MAX_PARAM_VALUE_CHARS } from "./limits.ts";
import { shownPath } from "./shown.ts";

const LONG_DIGITS = /\d{16}/;

/** The numbers whose text is not what JavaScript writes, by the object or list that holds them, then by name or index. */
export type NumberTexts = ReadonlyMap<object, ReadonlyMap<string, string>>;

/** Only parameters keep the text of their numbers, so a body without any is not looked through for it. */
const PARAMETERS = /param/;
/** Python's own spelling of what JSON has no number for. */
const PYTHON_TEXTS: Record<string, string> = { NaN: "nan", Infinity: "inf", "-Infinity": "-inf" };

/** V8 hands the source text of a primitive to the reviver (TC39 "JSON.parse source text access"). */
type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;

/**
 * An integer that a double cannot hold becomes a bigint, so that a 64-bit seed is not silently changed. Reading digits
 * costs more than their number, so there is an end to it where nothing could hold them anyway.
 */
const keepLongIntegers: Reviver = (_key, value, context) => {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return source.length <= MAX_PARAM_VALUE_CHARS && /^-?\d+$/.test(source) ? BigInt(source) : value;
};

/** Thrown for a value that nests too deep for a database or a stack. */
export class TooDeep extends Error {
  override readonly name = "TooDeep";
  readonly field: string;
  constructor(field: string) {
    super(TOO_DEEP_RULE);
    this.field = shownPath([field]);
  }
}

export const TOO_DEEP_RULE = `must nest at most ${MAX_JSON_DEPTH} deep`;

/**
 * Parses JSON as Python writes it: bare NaN, Infinity and -Infinity become strings of that name, and integers
 * beyond a double's exact range become bigints.
 * @throws SyntaxError when the text is not JSON even so.
 * @throws TooDeep
 */
export function parseJson(text: string): unknown {
  const { value, deep } = parseItems(text);
  for (const field of deep.values()) throw new TooDeep(field);
  return value;
}

export type ParsedItems = {
  /** What was parsed; null stands for what nests too deep. */
  value: unknown;
  /** Which items nest too deep, by index in a list (0 where the value is no list), each with its field. */
  deep: ReadonlyMap<number, string>;
  texts: NumberTexts;
};

/**
 * Parses JSON as `parseJson` does, but a list's good items are there beside those that nest too deep.
 * @throws SyntaxError
 */
export function parseItems(text: string | Scan): ParsedItems {
  const { text: scanned, deep } = typeof text === "string" ? scanJson(text) : text;
  const texts = new Map<object, Map<string, string>>();
  const reviver = PARAMETERS.test(scanned)
    ? keepTexts(texts)
    : LONG_DIGITS.test(scanned)
      ? keepLongIntegers
      : undefined;
  return { value: JSON.parse(scanned, reviver), deep, texts };
}

/** Notes the texts of numbers beside the values, and keeps long integers. */
function keepTexts(texts: Map<object, Map<string, string>>): Reviver {
  return function (key, value, context) {
    const source = context?.source;
    if (source === undefined || typeof this !== "object" || this === null) return value;
    const text =
      typeof value === "number" && source !== String(value)
        ? source
        : typeof value === "string" && isBare(value, source)
          ? PYTHON_TEXTS[value]
          : undefined;
    if (text !== undefined) {
      const held = texts.get(this) ?? new Map<string, string>();
      texts.set(this, held.set(key, text));
    }
    return keepLongIntegers.call(this, key, value, context);
  };
}

/** A word that was bare in the body is quoted by the scan with an escape in it. */
function isBare(value: string, source: string): boolean {
  return Object.hasOwn(PYTHON_TEXTS, value) && source !== `"${value}"`;
}
