import * as z from "zod";
import * as field from "../domain/fields.ts";
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
} from "../domain/limits.ts";

/** The named schemas of the document. Each is in it once, and everything else refers to it. */

export type JsonSchema = z.core.JSONSchema.BaseSchema;

const registry = z.registry<{ id: string }>();

/** What the fields of a component are, where its schema cannot say so: a described copy of a field is another field. */
const fieldNotes = new Map<string, Readonly<Record<string, string>>>();

/** Names a schema, so that it becomes a component of the document; `notes` say what its fields are, by name. */
export function component<T extends z.ZodType>(
  id: string,
  schema: T,
  notes: Readonly<Record<string, string>> = {},
): T {
  registry.add(schema, { id });
  fieldNotes.set(id, notes);
  return schema;
}

/** The reference to a named schema. */
export function reference(schema: z.ZodType): { $ref: string } {
  const id = registry.get(schema)?.id;
  if (id === undefined) throw new Error("the schema has no name");
  return { $ref: uriOf(id) };
}

/** All named schemas as JSON Schema. */
export function componentSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(registry, {
    uri: uriOf,
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      Object.assign(jsonSchema, BY_RULE.get(zodSchema));
      // The pattern says what the format says, at length.
      if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
      // Names in JSON are text anyway.
      delete jsonSchema.propertyNames;
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [
      id,
      withNotes(schema, fieldNotes.get(id) ?? {}),
    ]),
  );
}

function withNotes(schema: JsonSchema, notes: Readonly<Record<string, string>>): JsonSchema {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const description = notes[name];
    if (typeof field !== "boolean" && description !== undefined) field.description = description;
  }
  return schema;
}

function uriOf(id: string): string {
  return `#/components/schemas/${id}`;
}

const id = (maxLength: number) => ({ type: ["string", "integer"], minLength: 1, maxLength });
const integer = (minimum: number, maximum: number) => ({ type: "integer", minimum, maximum });

/** What the events' schemas check by code, which JSON Schema can say as well. */
const BY_RULE = new Map<z.core.$ZodType, object>([
  [field.identifier, id(MAX_ID_CHARS)],
  [field.eventId, id(MAX_EVENT_ID_CHARS)],
  [field.warnings, { type: "array", items: { type: "string" } }],
  [field.correlationId, { maxLength: MAX_EVENT_ID_CHARS }],
  [field.experimentName, { maxLength: MAX_EXPERIMENT_NAME_CHARS }],
  [field.runName, { maxLength: MAX_RUN_NAME_CHARS }],
  [field.description, { maxLength: MAX_TAG_VALUE_CHARS }],
  [field.map, { type: "object" }],
  [field.nonNegative, integer(0, MAX_STEP)],
  [field.duration, integer(0, MAX_STEP)],
  [field.positive, integer(1, MAX_STEP)],
  [field.anyInteger, integer(MIN_STEP, MAX_STEP)],
  [field.step, integer(MIN_STEP, MAX_STEP)],
  [
    field.metricValue,
    { anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"] }] },
  ],
  [
    field.leaf,
    { anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"] }] },
  ],
  [field.moment, { anyOf: [{ type: "string", format: "date-time" }, integer(MIN_TIME_MS, MAX_TIME_MS)] }],
  [field.time, { anyOf: [{ type: "string", format: "date-time" }, integer(0, MAX_TIME_MS)] }],
]);
