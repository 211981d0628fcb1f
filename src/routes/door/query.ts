import type { Context } from "hono";
import * as z from "zod";
import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import { documented } from "../contract.ts";
import type { AppEnv } from "./context.ts";

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 50;
const MIN_POINTS = 2;
const MAX_POINTS = 50_000;
const DEFAULT_POINTS = 1_000;

/** A whole number written as text. Messages are rules: they read on from the parameter's name. */
export function wholeNumber(minimum: number, maximum: number) {
  const rule = `must be a whole number from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^-?\d{1,16}$/, rule)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, rule)
    .register(documented, { as: { type: "integer", minimum, maximum } });
}

/** The same where another stands for one that is not given. */
export function wholeNumberOr(fallback: number, minimum: number, maximum: number) {
  return wholeNumber(minimum, maximum)
    .default(fallback)
    .register(documented, { as: { type: "integer", minimum, maximum, default: fallback } });
}

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, `must be one of ${words.join(", ")}`);
}

export const someText = z.string().min(1, "must not be empty");

/** `true` or `false`, as text. */
export const yesOrNo = oneOf(["true", "false"]).transform((word) => word === "true");

/** A parameter that need not be given, in words; its example works with the examples of the events. */
export function maybe<S extends z.ZodType>(schema: S, description: string, example?: string | number) {
  return schema.optional().meta({ description, ...(example === undefined ? {} : { example }) });
}

/** What every list takes. */
export const limit = wholeNumberOr(DEFAULT_LIMIT, 1, MAX_LIMIT).meta({
  description: "The most rows of a page.",
  example: 10,
});

/** What every paged list takes. */
export const paging = {
  limit,
  cursor: maybe(someText, "The `next_cursor` of the page before, with the same filters and sort."),
};

const step = wholeNumber(MIN_STEP, MAX_STEP);

/** What every history of a metric takes. */
export const seriesQuery = {
  from_step: step.default(MIN_STEP).meta({ description: "The first step.", example: 0 }),
  to_step: step.default(MAX_STEP).meta({ description: "The last step.", example: 1000 }),
  max_points: wholeNumberOr(DEFAULT_POINTS, MIN_POINTS, MAX_POINTS).meta({
    description: "The most points; every bucket keeps its least and greatest value.",
    example: 500,
  }),
};

/**
 * The query parameters by a strict schema: an unknown one is refused as well, so that a typo does not silently list
 * everything.
 * @throws HttpFailure invalid_request naming each parameter, its value and the rule
 */
export function readQuery<S extends z.ZodRawShape>(c: Context<AppEnv>, shape: S) {
  const given = Object.entries(c.req.queries());
  const repeated = given.filter(([, values]) => values.length > 1);
  if (repeated.length > 0)
    throw refusal(repeated.map(([name, values]) => invalid([name], "must be given once", values)));
  const values = new Map(given.map(([name, [value]]) => [name, value]));
  const parsed = z.strictObject(shape).safeParse(Object.fromEntries(values));
  if (parsed.success) return parsed.data;
  const known = Object.keys(shape);
  const isUnknown = known.length === 0 ? "must not be given" : `must be one of ${known.join(", ")}`;
  throw refusal(
    parsed.error.issues.flatMap((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((name) => invalid(["query parameter"], isUnknown, name))
        : [invalid(issue.path, issue.message, values.get(String(issue.path[0])))],
    ),
  );
}

/** The answer to a request that is not valid. */
export function refusal(problems: ReturnType<typeof invalid>[]): HttpFailure {
  return new HttpFailure({ kind: "invalid_request", problems });
}

/** What was asked for, or a 404 that says what there is none of. */
export function found<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw noSuch(what);
  return value;
}

export function noSuch(what: string): HttpFailure {
  return new HttpFailure({ kind: "not_found", detail: `There is no ${what}.` });
}
