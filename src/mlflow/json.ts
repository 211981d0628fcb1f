/**
 * JSON as MLflow writes it: int64 as plain numbers beyond what a double holds, NaN and infinities as strings.
 * Measured on MLflow 2.22 and 3.17.
 */

declare global {
  interface JSON {
    /** Source: https://github.com/tc39/proposal-json-parse-with-source, not yet in TypeScript's library. */
    rawJSON(text: string): object;
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
  }
}

/** The shortest integer that may not be safe has 16 digits. Other texts take the engine's fast path. */
const MAY_HOLD_UNSAFE = /\d{16}/;
const INTEGER = /^-?\d+$/;

/** Parses JSON. Integers outside the safe range become bigints. Returns undefined if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    if (!MAY_HOLD_UNSAFE.test(text)) return JSON.parse(text);
    return JSON.parse(text, (_key, value, { source }) => {
      const lossy = typeof value === "number" && !Number.isSafeInteger(value);
      return lossy && source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
    });
  } catch {
    return undefined;
  }
}

/**
 * Writes JSON for MLflow: bigints as plain numbers, NaN and infinities as the strings it expects (a bare `null` or
 * `NaN` would be refused or, worse, stored as 0).
 */
export function stringifyJson(value: object): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "bigint") return JSON.rawJSON(item.toString());
    if (typeof item === "number" && !Number.isFinite(item)) return String(item);
    return item;
  });
}

/**
 * A metric value as MLflow's SQL stores give it back, for comparing what was sent with what is there: infinities
 * become the greatest doubles, -0 becomes 0, NaN stays NaN (compare with `Object.is`).
 */
export function storedValue(value: number): number {
  if (value === Number.POSITIVE_INFINITY) return Number.MAX_VALUE;
  if (value === Number.NEGATIVE_INFINITY) return -Number.MAX_VALUE;
  return value === 0 ? 0 : value;
}
