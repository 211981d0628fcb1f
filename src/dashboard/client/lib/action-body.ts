/** A form's fields as the JSON body of a request. */

export type Field = {
  /** Dots lead into objects: `filter.kind`. */
  name: string;
  value: string;
  /** How its text is meant: as it stands, a number, JSON, or one of a list. */
  as: "text" | "number" | "json" | "list";
};

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

/**
 * The body that the fields make. An empty field is left out, since it was not filled in.
 * @throws SyntaxError where a field that is to be JSON is not
 */
export function bodyOf(fields: readonly Field[]): JsonObject {
  const body: JsonObject = {};
  // What is JSON comes first, so that single fields go into it.
  const ordered = [...fields.filter(isJson), ...fields.filter((field) => !isJson(field))];
  for (const { name, value, as } of ordered) {
    if (value.trim() === "") continue;
    const path = name.split(".");
    const last = path.pop() ?? "";
    let at = body;
    for (const step of path) {
      const next = at[step];
      const inner: JsonObject = isObject(next) ? next : {};
      at[step] = inner;
      at = inner;
    }
    const before = at[last];
    if (as === "list") at[last] = Array.isArray(before) ? [...before, value] : [value];
    else if (as === "json") at[last] = JSON.parse(value);
    else at[last] = as === "number" ? Number(value) : value;
  }
  return body;
}

const isJson = ({ as }: Field) => as === "json";

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
