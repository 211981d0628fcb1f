import { cut } from "../../domain/limits.ts";

/** Values as Python's `int`, `float`, `repr` and `json.dumps` read and write them: MLflow's messages are made of these. */

const WHOLE = /^[+-]?\d+(?:_\d+)*$/;
const DECIMAL = /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const WORD = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i;

/** Beyond it a value says nothing more to anybody. */
const SHOWN_CHARS = 10_000;

/** The number behind a text as `int` reads it; null where it would raise ValueError. */
export function pythonInt(text: string): number | null {
  const trimmed = text.trim();
  return WHOLE.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : null;
}

/** The number behind a text as `float` reads it; null where it would raise ValueError. */
export function pythonFloat(text: string): number | null {
  const trimmed = text.trim();
  const word = WORD.exec(trimmed);
  if (word) return word[2] === undefined ? Number.NaN : word[1] === "-" ? -Infinity : Infinity;
  return DECIMAL.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : null;
}

/** A double as `repr` writes it: `1.0`, `1e-07`, `1e+16`, `nan`, `-inf`. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16)
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** A value from JSON as `json.dumps(value, sort_keys=True, separators=(",", ":"))` writes it. */
export function jsonDumps(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner) ? sorted(inner) : inner,
  );
  return cut(ascii(text ?? "null"), SHOWN_CHARS);
}

/** A value from JSON as `json.dumps(value)` writes it, but for numbers of JavaScript's. */
export function jsonText(value: unknown): string {
  // A newline that is not escaped is no text's.
  const lines = JSON.stringify(value, null, 1).replace(/,\n */g, ", ");
  return ascii(lines.replace(/\n */g, ""));
}

/** Python's name of the type of a value from JSON. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return "NoneType";
  if (typeof value === "string") return "str";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return Array.isArray(value) ? "list" : "dict";
}

function sorted(map: object): object {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
