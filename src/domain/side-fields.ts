import * as z from "zod";
import * as to from "./coerce.ts";
import type { Findings } from "./facts.ts";
import * as field from "./fields.ts";
import { MAX_RUN_NAME_CHARS, MAX_TAG_VALUE_CHARS } from "./limits.ts";

/** Fields that give an event its meaning, though not all of them are required: a bad one refuses the event. */
const STRICT = new Set([
  "event_id",
  "occurred_at",
  "step",
  "experiment_name",
  "mlflow_run_id",
  "uri",
  "checksum",
]);

/** Required fields that may be sent in another form: what they mean is then as plain. */
const FORMED = new Set<z.core.$ZodType>([field.freeText, field.runState]);

/** The other forms in which a field may be sent without loss of meaning. */
const COERCIONS = new Map<z.core.$ZodType, (value: unknown) => unknown>([
  [field.freeText, to.toText],
  [field.correlationId, to.toShortText(Infinity)],
  [field.runName, to.toShortText(MAX_RUN_NAME_CHARS)],
  [field.description, to.toShortText(MAX_TAG_VALUE_CHARS)],
  [field.experimentName, (value) => (typeof value === "number" ? String(value) : undefined)],
  [field.runState, to.toRunState],
  [field.flag, to.toFlag],
  [field.nonNegative, to.toWhole],
  [field.positive, to.toWhole],
  [field.anyInteger, to.toWhole],
  [field.duration, to.toRounded],
  [field.step, to.toWhole],
  [field.moment, to.toMoment],
  [field.metricValue, to.toNumber],
  [field.warnings, to.toTexts],
  [field.actor, to.toActor],
]);

/** The value of a field as it is taken, and the rule that it did not keep to as sent; undefined where there is no form. */
export function inForm(schema: z.ZodType, value: unknown): { value: unknown; rule: string } | undefined {
  const rule = brokenRule(schema, value);
  if (rule === null) return { value, rule: "" };
  const other = COERCIONS.get(plain(schema))?.(value);
  return other !== undefined && brokenRule(schema, other) === null ? { value: other, rule } : undefined;
}

/**
 * A body whose every side field is one that its schema takes: in another form, or left out with a warning. What is
 * wrong with the fields that give the event its meaning stays.
 */
export function withGoodSides(
  body: Record<string, unknown>,
  shape: Record<string, z.ZodType>,
  findings: Findings,
): Record<string, unknown> {
  const good = { ...body };
  for (const [name, schema] of Object.entries(shape)) {
    const sent = body[name];
    const rule = sent === undefined ? null : brokenRule(schema, sent);
    if (rule === null) continue;
    const isRequired = !(schema instanceof z.ZodOptional);
    const taken = isRequired && !FORMED.has(plain(schema)) ? undefined : inForm(schema, sent);
    if (taken) {
      good[name] = taken.value;
      findings.warn([name], sent, rule, isCut(sent, taken.value) ? "cut" : "converted");
    } else if (!isRequired && !STRICT.has(name)) {
      delete good[name];
      findings.warn([name], sent, rule, "left_out");
    }
  }
  return good;
}

function brokenRule(schema: z.ZodType, value: unknown): string | null {
  const parsed = schema.safeParse(value);
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? "is not valid");
}

function plain(schema: z.ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}

function isCut(sent: unknown, taken: unknown): boolean {
  return typeof sent === "string" && typeof taken === "string" && taken.length < sent.length;
}
