import * as z from "zod";
import * as field from "../../domain/fields.ts";
import {
  MAX_EVENT_ID_CHARS,
  MAX_EXPERIMENT_NAME_CHARS,
  MAX_ID_CHARS,
  MAX_RUN_NAME_CHARS,
  MAX_STEP,
  MAX_TAG_VALUE_CHARS,
  MAX_TIME_MS,
  MIN_STEP,
  MIN_TIME_MS,
} from "../../domain/limits.ts";
import { documented } from "../contract.ts";

/** The named schemas of the document: each is in it once, and everything else refers to it. */

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The reference to a named schema. */
export function reference(schema: z.ZodType): { $ref: string } {
  const id = z.globalRegistry.get(schema)?.id;
  if (id === undefined) throw new Error("the schema has no name");
  return { $ref: uriOf(id) };
}

/** All named schemas as JSON Schema. */
export function componentSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(z.globalRegistry, { uri: uriOf, ...IN_THE_DOCUMENT });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

/** A schema without a name, as of a parameter. */
export function jsonSchema(schema: z.core.$ZodType): JsonSchema {
  const { $schema: _, ...shown } = z.toJSONSchema(schema, IN_THE_DOCUMENT);
  return shown;
}

/** What is sent is shown, and answers may grow. */
const IN_THE_DOCUMENT = {
  io: "input",
  unrepresentable: "any",
  override: ({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodType; jsonSchema: JsonSchema }) => {
    const as = documented.get(zodSchema)?.as;
    if (as !== undefined) replace(jsonSchema, as);
    // The pattern says what the format says, at length.
    if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
    // Names in JSON are text anyway.
    delete jsonSchema.propertyNames;
  },
} as const;

/** A description is the place's own. */
function replace(shown: JsonSchema, by: JsonSchema): void {
  for (const name of Object.keys(shown)) if (name !== "description" && name !== "example") delete shown[name];
  Object.assign(shown, by);
}

function uriOf(id: string): string {
  return `#/components/schemas/${id}`;
}

const text = (maxLength: number): JsonSchema => ({ type: "string", minLength: 1, maxLength });
const id = (maxLength: number): JsonSchema => ({ type: ["string", "integer"], minLength: 1, maxLength });
const integer = (minimum: number, maximum: number): JsonSchema => ({ type: "integer", minimum, maximum });

const double: JsonSchema = {
  anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"] }],
};

/** What the events' schemas check by code, which JSON Schema can say as well. */
const BY_RULE: readonly [z.ZodType, JsonSchema][] = [
  [field.identifier, id(MAX_ID_CHARS)],
  [field.eventId, id(MAX_EVENT_ID_CHARS)],
  [field.warnings, { type: "array", items: { type: "string" } }],
  [field.correlationId, text(MAX_EVENT_ID_CHARS)],
  [field.experimentName, text(MAX_EXPERIMENT_NAME_CHARS)],
  [field.runName, text(MAX_RUN_NAME_CHARS)],
  [field.description, { type: "string", maxLength: MAX_TAG_VALUE_CHARS }],
  [field.map, { type: "object" }],
  [field.nonNegative, integer(0, MAX_STEP)],
  [field.duration, integer(0, MAX_STEP)],
  [field.positive, integer(1, MAX_STEP)],
  [field.anyInteger, integer(MIN_STEP, MAX_STEP)],
  [field.step, integer(MIN_STEP, MAX_STEP)],
  [field.metricValue, double],
  [field.leaf, double],
  [field.moment, { anyOf: [{ type: "string", format: "date-time" }, integer(MIN_TIME_MS, MAX_TIME_MS)] }],
  [field.time, { anyOf: [{ type: "string", format: "date-time" }, integer(0, MAX_TIME_MS)] }],
];
for (const [schema, as] of BY_RULE) documented.add(schema, { as });
