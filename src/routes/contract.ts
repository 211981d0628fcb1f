import * as z from "zod";
import type { Scope } from "../domain/words.ts";

/** What a route takes and answers, said once: its handler is typed by it, and the document is made from it. */

export type Address = `${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}`;

export type Contract = {
  /** The method, and the path as Hono writes it: `GET /api/trials/:id`. */
  at: Address;
  summary: string;
  description?: string;
  /** The scope a token needs; null where no token is asked for. */
  scope: Scope | null;
  /** The parts of the path, in order. */
  path?: Readonly<Record<string, PathPart>>;
  /** The parameters that are taken; without it none are looked at. */
  query?: z.ZodRawShape;
  headers?: z.ZodRawShape;
  /** A JSON body, which `door/json-body.ts` reads. */
  body?: Body;
  /** Bodies that the handler reads by itself, by their media types. */
  sent?: { description: string; contents: readonly Content[] };
  answers: Answers;
  /** The statuses of refusals, besides those that a scope, a query or a body brings with it. */
  refusals?: readonly RefusalStatus[];
};

/** `example` works with the examples of the events. */
export type PathPart = { description: string; example: string };

export type Examples = Readonly<Record<string, { summary: string; value: unknown }>>;

/** A named schema, and its media type where it is not JSON. */
export type Content = { type?: string; schema: z.ZodType; examples?: Examples };

/** `called`: what the rule about an unknown field calls the whole. */
export type Body = { description: string; schema: z.ZodType; examples: Examples; called?: string };

export type Answer = { description: string } & Content;
export type Answers = Readonly<Partial<Record<AnswerStatus, Answer>>>;

export const ANSWER_STATUSES = [200, 201, 202, 206, 400, 409, 413, 422, 503] as const;
export type AnswerStatus = (typeof ANSWER_STATUSES)[number];
export type RefusalStatus = 401 | 403 | 404 | 409 | 415 | 416 | 422 | 429 | 501 | 503;

type Contracts = Readonly<Record<string, Contract>>;

/** Operations that belong together, by their ids. */
export type Resource<R extends Contracts = Contracts> = { name: string; description: string; contracts: R };

type NameIn<Part extends string> = Part extends `:${infer Name}{${string}`
  ? Name
  : Part extends `:${infer Name}`
    ? Name
    : never;

/** The names of the parts of a path that vary. */
export type PathNames<Path extends string> = Path extends `${infer First}/${infer Rest}`
  ? NameIn<First> | PathNames<Rest>
  : NameIn<Path>;

/** Each part of the path is explained, and nothing else. */
type Explained<C extends Contract> = [PathNames<C["at"]>] extends [never]
  ? { path?: never }
  : { path: Readonly<Record<PathNames<C["at"]>, PathPart>> };

/** A resource whose contracts keep their exact types, so that its handlers are held to them. */
export function resource<const R extends Contracts>(
  name: string,
  description: string,
  contracts: R & { readonly [Id in keyof R]: Explained<R[Id]> },
): Resource<R> {
  return { name, description, contracts };
}

/** The answers of a route that has one: 200, in JSON. */
export function ok<S extends z.ZodType>(description: string, schema: S, examples: Examples = {}) {
  return { 200: { description, schema, examples } };
}

/** The same for what is done later: 202. */
export function accepted<S extends z.ZodType>(description: string, schema: S, examples: Examples = {}) {
  return { 202: { description, schema, examples } };
}

/** What a schema that checks by code is in the document. */
export const documented = z.registry<{ as: z.core.JSONSchema.BaseSchema }>();
