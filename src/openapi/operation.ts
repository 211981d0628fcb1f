import type * as z from "zod";
import type { Scope } from "../domain/words.ts";
import type { JsonSchema } from "./components.ts";

/** What the document says of one operation, before it is put into OpenAPI's words. */
export type Operation = {
  id: string;
  summary: string;
  description?: string;
  /** The scope a token needs; null where no token is asked for. */
  scope: Scope | null;
  parameters?: readonly Parameter[];
  body?: Body;
  answers: Readonly<Record<number, Answer>>;
  /** The statuses of problem bodies, besides those that every operation with a scope or a body has. */
  refusals?: readonly RefusalStatus[];
};

export type Parameter = {
  name: string;
  in: "path" | "query" | "header";
  description: string;
  schema: JsonSchema;
  /** A value that works with the examples of the events; required in a path. */
  example?: string | number | boolean;
};

export type Examples = Readonly<Record<string, { summary: string; value: unknown }>>;

export type Content = { type?: string; schema: z.ZodType; examples?: Examples };

export type Body = { description: string; contents: readonly Content[] };

export type Answer = { description: string } & Content;

export type RefusalStatus = 400 | 404 | 409 | 413 | 415 | 422 | 429 | 503;

/** `GET /api/trials/{id}`: the method and the path, with parameters in braces. */
export type Address = `${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}`;

/** Operations that belong together. */
export type Resource = {
  name: string;
  description: string;
  operations: Readonly<Record<Address, Operation>>;
};
