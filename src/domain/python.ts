import { isMap } from "./flatten.ts";
import type { NumberTexts } from "./json.ts";

/**
 * A value from JSON as Python's `str` writes it, which is how MLflow's own client logs a parameter: `1e-05`, `1.0`,
 * `True`, `None`, `['a', 1]`. A number keeps the text that it was sent as, which for a Python trainer is its `repr`.
 */
export function pythonText(value: unknown, holder: object, name: string, texts: NumberTexts): string {
  const sent = texts.get(holder)?.get(name);
  if (sent !== undefined) return sent;
  return typeof value === "string" ? value : repr(value);

  function repr(inner: unknown): string {
    if (typeof inner === "string") return quoted(inner);
    if (inner === true) return "True";
    if (inner === false) return "False";
    if (Array.isArray(inner))
      return `[${inner.map((item, i) => elementText(inner, String(i), item)).join(", ")}]`;
    if (isMap(inner))
      return `{${Object.entries(inner)
        .map(([key, item]) => `${quoted(key)}: ${elementText(inner, key, item)}`)
        .join(", ")}}`;
    return inner === null || inner === undefined ? "None" : String(inner);
  }

  function elementText(list: object, key: string, item: unknown): string {
    return texts.get(list)?.get(key) ?? repr(item);
  }
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
/** What Python's `str.isprintable` is false for, but for the space. */
const UNPRINTABLE = /[\\\p{C}\p{Z}]/gu;

/** A text as Python's `repr` writes it. */
export function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(UNPRINTABLE, (char) => {
    if (char === " ") return char;
    const code = char.codePointAt(0) ?? 0;
    const hex = (digits: number) => code.toString(16).padStart(digits, "0");
    return (
      ESCAPES[char] ?? (code <= 0xff ? `\\x${hex(2)}` : code <= 0xffff ? `\\u${hex(4)}` : `\\U${hex(8)}`)
    );
  });
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}
