import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { heldText } from "../../domain/text.ts";
import { invalid, type Refusal } from "../refusal.ts";
import { isRaw, type Raw } from "./body.ts";
import { jsonDumps, pythonFloat, pythonInt } from "./python.ts";

/**
 * Requests as protobuf reads them from JSON (google/protobuf/json_format.py). MLflow takes what it could read before the
 * first fault and goes on with zeros for the rest; here a fault is a refusal.
 */

/** How one field is read. `path` is for messages: `metrics[0].value`. */
export type Field<T> = {
  /** Whether the field is a list, which a query may hold more than once. */
  many: boolean;
  /** @throws Refusal */
  read(value: unknown, path: string): T;
};

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a message holds by its fields' names; a field that was not sent, or as null, is not there. */
export type Message<F extends Fields> = {
  readonly [Name in keyof F]?: F[Name] extends Field<infer T> ? T : never;
};

/** A text as it was sent. */
export const verbatim: Field<string> = {
  many: false,
  read(value, path) {
    if (typeof value !== "string") throw fault(path, value, "Please specify a text");
    if (!value.isWellFormed()) throw fault(path, value, "The text has half of a character");
    return value;
  },
};

/** The same as every database of MLflow's holds it: but for SQLite none holds a NUL. */
export const text: Field<string> = {
  many: false,
  read: (value, path) => heldText(verbatim.read(value, path)),
};

/** A double: a number, or a text as Python's `float` reads it, of which "nan" must be written NaN. */
export const double: Field<number> = {
  many: false,
  read(value, path) {
    const number =
      typeof value === "string" && value !== "nan" ? pythonFloat(value) : finite(value) ? value : null;
    if (number === null)
      throw fault(
        path,
        value,
        'Please specify a double (64-bit floating point), and what JSON has no number for as text: "NaN", "Infinity"',
      );
    return number;
  },
};

export const boolean: Field<boolean> = {
  many: false,
  read(value, path) {
    if (typeof value !== "boolean") throw fault(path, value, "Please specify true or false");
    return value;
  },
};

/** An int64, as far as doubles tell whole numbers apart: a number or a text of one. */
export const int64 = whole(MIN_STEP, MAX_STEP);

const INT32 = 2 ** 31;
export const int32 = whole(-INT32, INT32 - 1);

/** One of the names of an enumeration, or its number there, from 1. */
export function oneOf<Name extends string>(...names: readonly Name[]): Field<Name> {
  return {
    many: false,
    read(value, path) {
      const number = typeof value === "string" ? pythonInt(value) : value;
      const name = names.find((known, i) => known === value || i + 1 === number);
      if (name === undefined) throw fault(path, value, `It must be one of ${names.join(", ")}`);
      return name;
    },
  };
}

export function listOf<T>(item: Field<T>): Field<readonly T[]> {
  return {
    many: true,
    read(value, path) {
      if (!Array.isArray(value)) throw fault(path, value, "Please specify a list");
      return value.map((inner, i) => item.read(inner, `${path}[${i}]`));
    },
  };
}

/** An object with fields. A field may be written in camel case too; names that are not known are passed over. */
export function message<F extends Fields>(fields: F): Field<Message<F>> {
  const names = Object.entries(fields).map(([name, field]) => ({ name, field, camel: camelCase(name) }));
  return {
    many: false,
    read(value, path) {
      if (!isRaw(value)) throw fault(path, value, "Please specify an object");
      const found: Record<string, unknown> = {};
      for (const { name, field, camel } of names) {
        if (name !== camel && Object.hasOwn(value, name) && Object.hasOwn(value, camel))
          throw invalid(`Request specifies both '${name}' and '${camel}'; provide only one of them.`);
        const sent = own(value, name) ?? own(value, camel);
        if (sent !== undefined && sent !== null)
          found[name] = field.read(sent, path === "" ? name : `${path}.${name}`);
      }
      return asMessage<F>(found);
    },
  };
}

/** What an object itself has under a name. */
export function own(raw: Raw, name: string): unknown {
  return Object.hasOwn(raw, name) ? raw[name] : undefined;
}

function asMessage<F extends Fields>(found: object): Message<F>;
function asMessage(found: object): object {
  return found;
}

function whole(min: number, max: number): Field<number> {
  return {
    many: false,
    read(value, path) {
      const number =
        typeof value === "string" && !value.includes(" ") ? (pythonInt(value) ?? pythonFloat(value)) : value;
      if (typeof number !== "number" || !Number.isInteger(number) || number < min || number > max)
        throw fault(path, value, `Please specify a whole number from ${min} to ${max}`);
      return number;
    },
  };
}

function finite(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function fault(path: string, value: unknown, rule: string): Refusal {
  return invalid(`Invalid value ${jsonDumps(value)} for parameter '${path}' supplied: ${rule}.`);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
