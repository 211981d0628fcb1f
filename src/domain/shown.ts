import { cut } from "./limits.ts";

const SHOWN_VALUE_CHARS = 100;
const SHOWN_PATH_CHARS = 300;
/** A character takes two units at most; what is written beyond this is cut off anyway. */
const MAX_UNITS = 2 * SHOWN_VALUE_CHARS + 2;

/** A field's value for a message: short, and made in as many steps as it is long, however large the whole. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  return shortened(typeof value === "bigint" ? String(value) : beginning(value), SHOWN_VALUE_CHARS);
}

/** A path with dots, never longer than is good for an answer: a name may be as long as the body. */
export function shownPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const [index, part] of path.entries()) {
    text += `${index === 0 ? "" : "."}${String(part).slice(0, SHOWN_PATH_CHARS + 1)}`;
    if (text.length > SHOWN_PATH_CHARS) break;
  }
  return shortened(text, SHOWN_PATH_CHARS);
}

/** A text that a client sent, for a message. */
export function shortened(text: string, max: number): string {
  const short = cut(text, max);
  return short.length === text.length ? text.toWellFormed() : `${short.toWellFormed()}…`;
}

/** The JSON of a value, as far as anybody looks. */
function beginning(value: unknown): string {
  let out = "";
  write(value);
  return out;

  function write(node: unknown): void {
    if (out.length > MAX_UNITS) return;
    if (typeof node === "string") out += JSON.stringify(node.slice(0, MAX_UNITS));
    else if (typeof node === "bigint") out += `"${node}"`;
    // What is beyond a double's range: JSON has no word for it but null.
    else if (typeof node === "number") out += String(node);
    else if (Array.isArray(node)) {
      out += "[";
      for (let i = 0; i < node.length && out.length <= MAX_UNITS; i++) {
        if (i > 0) out += ",";
        write(node[i]);
      }
      out += "]";
    } else if (typeof node === "object" && node !== null) writeEntries(node);
    else out += JSON.stringify(node) ?? "null";
  }

  function writeEntries(node: object): void {
    let separator = "{";
    for (const name in node) {
      if (out.length > MAX_UNITS) return;
      out += separator + JSON.stringify(name.slice(0, MAX_UNITS));
      out += ":";
      write(Reflect.get(node, name));
      separator = ",";
    }
    out += separator === "{" ? "{}" : "}";
  }
}
