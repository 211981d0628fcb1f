import * as z from "zod";
import * as field from "./fields.ts";
import { chars, keyProblem, MAX_PARAM_VALUE_CHARS, MAX_TAG_VALUE_CHARS } from "./limits.ts";
import { type FieldProblem, invalid, missing } from "./problems.ts";
import { HELD_RULE, isHeld } from "./text.ts";
import { toWire } from "./values.ts";

/** The dead letters that hold an item of a log-batch; the others hold a message, or a status. */
export const ITEM_KINDS = ["metric", "param", "tag"] as const;
export type ItemKind = (typeof ITEM_KINDS)[number];

const key = z.string("must be a string").superRefine((value, context) => {
  const problem = keyProblem(value);
  if (problem) context.addIssue({ code: "custom", message: problem });
});

function text(max: number) {
  return z
    .string("must be a string")
    .refine((value) => chars(value) <= max, `must have at most ${max} characters`)
    .refine(isHeld, HELD_RULE);
}

const SCHEMAS = {
  metric: z.strictObject({
    key,
    value: field.metricValue.transform(toWire),
    timestamp: field.time,
    step: field.step,
  }),
  param: z.strictObject({ key, value: text(MAX_PARAM_VALUE_CHARS) }),
  tag: z.strictObject({ key, value: text(MAX_TAG_VALUE_CHARS) }),
} satisfies Record<ItemKind, z.ZodType>;

/** Checks an item that an operator wrote by the limits that trainers' items have to keep. */
export function checkItem(
  kind: ItemKind,
  value: Record<string, unknown>,
): { ok: true; item: object } | { ok: false; problems: FieldProblem[] } {
  const parsed = SCHEMAS[kind].safeParse(value);
  if (parsed.success) return { ok: true, item: parsed.data };
  const problems = parsed.error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((name) => invalid(["item", name], `is not a field of a ${kind}`, value[name]));
    const given = value[String(issue.path[0])];
    return [
      given === undefined
        ? missing(["item", ...issue.path].join("."))
        : invalid(["item", ...issue.path], issue.message, given),
    ];
  });
  return { ok: false, problems };
}
