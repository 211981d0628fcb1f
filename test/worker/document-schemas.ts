import { expect } from "vitest";
import * as z from "zod";
import type { OpenApiDocument } from "../../src/openapi/document.ts";

const COMPONENTS = "#/components/schemas/";

/**
 * A schema of the document as a checker. A documented answer may grow, but here it is closed: a field that the
 * document does not name is a fault of the document.
 */
export function closed(api: OpenApiDocument, { $ref }: { $ref: string }): z.ZodType {
  const text = JSON.stringify({ $ref, $defs: api.components.schemas }).replaceAll(COMPONENTS, "#/$defs/");
  return z.fromJSONSchema(z.record(z.string(), z.json()).parse(JSON.parse(text, close)));
}

const anObject = z.looseObject({ type: z.literal("object"), properties: z.looseObject({}) });
const onlyRequired = z.strictObject({ required: z.array(z.string()) });

function close(_key: string, value: unknown): unknown {
  const object = anObject.safeParse(value);
  if (object.success) return { additionalProperties: false, ...object.data };
  // zod reads `required` only beside the properties that it is about.
  const { data } = onlyRequired.safeParse(value);
  if (!data) return value;
  const properties = Object.fromEntries(data.required.map((name) => [name, true]));
  return { type: "object", properties, additionalProperties: true, ...data };
}

/** Fails with what does not match. */
export function matches(api: OpenApiDocument, schema: { $ref: string }, value: unknown): void {
  const parsed = closed(api, schema).safeParse(value);
  const wrong = parsed.success
    ? ""
    : `${schema.$ref}: ${z.prettifyError(parsed.error)}\n${JSON.stringify(value)}`;
  expect(wrong).toBe("");
}
