import * as z from "zod";
import { isMap } from "./flatten.ts";
import {
  chars,
  MAX_EVENT_ID_CHARS,
  MAX_EXPERIMENT_NAME_CHARS,
  MAX_ID_CHARS,
  MAX_RUN_NAME_CHARS,
  MAX_STEP,
  MAX_TAG_VALUE_CHARS,
  MAX_TIME_MS,
  MAX_URI_CHARS,
  MIN_STEP,
} from "./limits.ts";
import { HELD_RULE, isHeld } from "./text.ts";
import { readMoment } from "./times.ts";
import { fromWire } from "./values.ts";

/** The fields of the events, one schema each. Messages are rules: they read on from the field's name. */

const SPECIAL_NUMBERS = new Set(["NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"]);
const SPECIAL_SPELLINGS: Record<string, number> = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity };

function text(max: number) {
  return z
    .string("must be a string")
    .min(1, "must not be empty")
    .refine((value) => chars(value) <= max, `must have at most ${max} characters`)
    .refine(isHeld, HELD_RULE);
}

function integer(min: number, max: number, rule: string) {
  return z.number(rule).refine((value) => Number.isInteger(value) && value >= min && value <= max, rule);
}

/** Trainers number their trials as often as they name them. Of numbers that a double cannot tell apart two ids would be one. */
function named(value: unknown): unknown {
  return typeof value === "bigint" || Number.isSafeInteger(value) ? String(value) : value;
}

export const identifier = z.preprocess(named, text(MAX_ID_CHARS));

export const eventId = z.preprocess(named, text(MAX_EVENT_ID_CHARS));

export const correlationId = text(MAX_EVENT_ID_CHARS);
export const freeText = z.string("must be a string");
export const flag = z.boolean("must be true or false");
/** As it is: zod's record would be a copy of all of it, and without a word drop a key `__proto__`. */
export const map = z.custom<Record<string, unknown>>(isMap, "must be an object");
export const nonNegative = integer(0, MAX_STEP, "must be an integer of 0 or more");
export const positive = integer(1, MAX_STEP, "must be an integer above 0");
export const duration = integer(0, MAX_STEP, "must be an integer of 0 or more");
export const anyInteger = integer(MIN_STEP, MAX_STEP, "must be an integer");
export const step = integer(MIN_STEP, MAX_STEP, `must be an integer between ${MIN_STEP} and ${MAX_STEP}`);
export const experimentName = text(MAX_EXPERIMENT_NAME_CHARS);
export const runName = text(MAX_RUN_NAME_CHARS);
/** What MLflow shows as a run's description. */
export const description = z
  .string("must be a string")
  .refine(
    (value) => chars(value) <= MAX_TAG_VALUE_CHARS,
    `must have at most ${MAX_TAG_VALUE_CHARS} characters`,
  )
  .refine(isHeld, HELD_RULE);
export const mlflowRunId = z
  .string("must be a string")
  .regex(/^[0-9a-f]{32}$/, "must be an MLflow run id: 32 lower-case hex digits");
export const runState = z.enum(
  ["completed", "failed", "cancelled"],
  "must be completed, failed, or cancelled",
);
/** Judged as a whole: a problem for each of a million items would be a million problems. */
export const warnings = z.custom<string[]>(
  (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
  "must be a list of strings",
);
export const actor = z.looseObject({ id: z.union([z.string(), z.number()]).optional() }, "must be an object");

/** Where a model that a trial made can be found. */
export const artifactUri = text(MAX_URI_CHARS);
/** Of a model's bytes, by which it is known. */
export const checksum = z
  .string("must be a string")
  .regex(/^(?:[a-z0-9-]{1,16}:)?[0-9a-f]{8,128}$/i, "must be a checksum in hex, as sha256:9f86d081…");
/** Version 2.0.0 of semver.org. */
export const semver = z
  .string("must be a string")
  .max(100, "must have at most 100 characters")
  .regex(
    /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-z-]+(\.[0-9a-z-]+)*)?(\+[0-9a-z-]+(\.[0-9a-z-]+)*)?$/i,
    "must be a semantic version such as 1.2.0",
  );

/** A metric's value, which is judged as one of its event's leaves. */
export const leaf = z.unknown();

/** A double, or the text of one that JSON lacks. A literal beyond a double's range parses to Infinity: refused. */
export const metricValue = z.unknown().transform((value, context) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint" && Number.isFinite(Number(value))) return Number(value);
  if (typeof value === "string" && SPECIAL_NUMBERS.has(value))
    return SPECIAL_SPELLINGS[value] ?? fromWire(value);
  const rule =
    typeof value === "number" || typeof value === "bigint"
      ? "must be within the range of a 64-bit float"
      : 'must be a number, or "NaN", "Infinity" or "-Infinity"';
  context.addIssue({ code: "custom", message: rule });
  return z.NEVER;
});

/** ISO 8601 with a zone, or integer epoch milliseconds; gives epoch milliseconds, of whatever century. */
export const moment = z.unknown().transform((value, context) => {
  const read = readMoment(value);
  if ("ms" in read) return read.ms;
  context.addIssue({ code: "custom", message: read.rule });
  return z.NEVER;
});

/** The same from 1970 to 9999. */
export const time = moment.refine(
  (ms) => ms >= 0 && ms <= MAX_TIME_MS,
  "must be an ISO 8601 time with a zone (2026-01-31T12:00:00Z) or epoch milliseconds, from 1970 to 9999",
);
