import { invalid, Refusal } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { type Field, type Fields, type Message, message, own } from "./message.ts";
import { jsonDumps, pythonFloat, pythonInt, typeName } from "./python.ts";

/** MLflow's own checks of a request beside protobuf's, in its order and words (mlflow/server/handlers.py). */

/** Whether a value passes; a text is the message of what does not. */
type Check = (value: unknown) => boolean | string;
type Named = keyof typeof TYPES | "required";
/** A parameter's name and what is asked of it, in MLflow's order. */
export type Rule = readonly [name: string, ...checks: readonly (Named | Check)[]];

/** Asked only when protobuf could not read the request: what it took has the right types. */
const TYPES = {
  text: (value) => typeof value === "string",
  int: (value) => (typeof value === "string" ? pythonInt(value) !== null : isNumeric(value)),
  float: (value) => (typeof value === "string" ? pythonFloat(value) !== null : isNumeric(value)),
  list: (value) => Array.isArray(value),
  texts: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
} satisfies Record<string, Check>;

const SEE_DOCS = " See the API docs for more information about request parameters.";

/** How an endpoint reads a request's JSON object, or its query. */
export type Endpoint<F extends Fields> = { fields: F; message: Field<Message<F>>; rules: readonly Rule[] };

export function endpoint<F extends Fields>(fields: F, ...rules: readonly Rule[]): Endpoint<F> {
  return { fields, message: message(fields), rules };
}

/**
 * Reads a request as MLflow does; what it would take in part only is refused.
 * @throws Refusal with MLflow's words where it has any
 */
export function readJson<F extends Fields>({ message: reader, rules }: Endpoint<F>, raw: Raw): Message<F> {
  const read = reading(() => reader.read(raw, ""));
  const fault = read instanceof Refusal ? read : null;
  for (const rule of rules) check(rule, raw, fault !== null);
  if (read instanceof Refusal) throw read;
  return read;
}

/** The same for the parameters of a query, where a list is a parameter that comes several times. */
export function readQuery<F extends Fields>(to: Endpoint<F>, query: URLSearchParams): Message<F> {
  const given = Object.entries(to.fields).filter(([name]) => query.has(name));
  const raw = given.map(([name, { many }]) => [name, many ? query.getAll(name) : query.get(name)]);
  return readJson(to, Object.fromEntries(raw));
}

/** The message for a parameter that is not there. */
export function missing(path: string): string {
  return `Missing value for required parameter '${path}'.`;
}

/** An empty text is what protobuf makes of one that was not sent. */
export function isThere(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

function check([name, ...checks]: Rule, raw: Raw, types: boolean): void {
  if (!Object.hasOwn(raw, name) && !checks.includes("required")) return;
  const value = own(raw, name) ?? (name === "run_id" ? own(raw, "run_uuid") : undefined);
  for (const asked of checks) {
    const passes =
      asked === "required"
        ? isThere(value) || missing(name)
        : typeof asked === "function"
          ? asked(value)
          : !types || TYPES[asked](value);
    if (passes === true) continue;
    const hint = ` Hint: Value was of type '${typeName(value)}'.`;
    const what = passes || `Invalid value ${jsonDumps(value)} for parameter '${name}' supplied: ${hint}`;
    throw invalid(what + SEE_DOCS);
  }
}

function reading<T>(read: () => T): T | Refusal {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean";
}
