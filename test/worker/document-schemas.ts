import { expect } from "vitest";
import * as z from "zod";
import {
  type OpenApiDocument,
  type OperationObject,
  openApiDocument,
} from "../../src/routes/docs/document.ts";

const COMPONENTS = "#/components/schemas/";
const PROBLEM = { $ref: `${COMPONENTS}Problem` };

const made = new Map<string, z.ZodType>();

/**
 * A schema of the document as a checker. A documented answer may grow, but here it is closed: a field that the
 * document does not name is a fault of the document.
 */
export function closed(api: OpenApiDocument, { $ref }: { $ref: string }): z.ZodType {
  const known = made.get($ref);
  if (known) return known;
  const text = JSON.stringify({ $ref, $defs: api.components.schemas }).replaceAll(COMPONENTS, "#/$defs/");
  const schema = z.fromJSONSchema(z.record(z.string(), z.json()).parse(JSON.parse(text, close)));
  made.set($ref, schema);
  return schema;
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

/** The addresses of the document, the longer ones first: a metric's name may have slashes. */
const addresses = Object.entries(openApiDocument().paths)
  .map(([path, methods]) => {
    const pattern = path.replace(/\{\w+\}$/, ".+").replaceAll(/\{\w+\}/g, "[^/]+");
    return { length: path.split("/").length, pattern: new RegExp(`^${pattern}/?$`), methods };
  })
  .sort((a, b) => b.length - a.length);

/** Fails where an answer is none that the document promises: its status, its type, and all of its body. */
export function isAsDocumented(method: string, url: string, response: Response, body: unknown): void {
  const { pathname } = new URL(url, "http://relay");
  const taken = addresses.filter(({ pattern }) => pattern.test(pathname));
  const [operation] = taken.flatMap(({ methods }) => methods[method.toLowerCase()] ?? []);
  matches(openApiDocument(), operation ? schemaOf(operation, response) : PROBLEM, body);
}

function schemaOf({ operationId, responses }: OperationObject, response: Response): { $ref: string } {
  const documented = responses[response.status];
  if (!documented) throw new Error(`${operationId}: the status ${response.status} is not documented`);
  if ("$ref" in documented) return PROBLEM;
  const type = response.headers.get("content-type") ?? "";
  const content = documented.content[type];
  if (!content) throw new Error(`${operationId}: an answer of the type ${type} is not documented`);
  return content.schema;
}
