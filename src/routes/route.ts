import { type Context, Hono } from "hono";
import type * as z from "zod";
import type { Deps } from "../relay/deps.ts";
import {
  ANSWER_STATUSES,
  type AnswerStatus,
  type Answers,
  type Contract,
  type PathNames,
  type Resource,
} from "./contract.ts";
import { requireScope } from "./door/auth.ts";
import type { AppEnv } from "./door/context.ts";
import { readJsonBody } from "./door/json-body.ts";
import { readQuery } from "./door/query.ts";

/** A request as its contract has it. The body is read when it is asked for, so that what is not there is said first. */
export type Asked<C extends Contract> = {
  c: Context<AppEnv>;
  relay: Deps;
  path: Readonly<Record<PathNames<C["at"]>, string>>;
  query: C extends { query: infer Q extends z.ZodRawShape } ? z.output<z.ZodObject<Q>> : unknown;
  readBody: () => Promise<C extends { body: { schema: infer S } } ? z.output<S> : unknown>;
};

/** One of several answers that a route may give. */
export class Reply<Status extends AnswerStatus, Value> {
  readonly status: Status;
  readonly value: Value;
  constructor(status: Status, value: Value) {
    this.status = status;
    this.value = value;
  }
}

type JsonStatus<A extends Answers> = {
  [Status in keyof A & AnswerStatus]: A[Status] extends { type: string } ? never : Status;
}[keyof A & AnswerStatus];

type ValueAt<A extends Answers, Status extends keyof A> = A[Status] extends { schema: infer S }
  ? z.output<S>
  : never;

type Replies<A extends Answers> = { [S in JsonStatus<A>]: Reply<S, ValueAt<A, S>> }[JsonStatus<A>];
type IsOne<Union, Member = Union> = Member extends Union ? ([Union] extends [Member] ? true : false) : never;

/** What a handler gives back: the value of its JSON answer; one of several as a `Reply`; what is not JSON as a response. */
export type Replied<A extends Answers> =
  | (IsOne<JsonStatus<A>> extends true ? ValueAt<A, JsonStatus<A>> : Replies<A>)
  | (A[keyof A] extends { schema: z.ZodType; type?: never } ? never : Response);

type Handlers<R extends Readonly<Record<string, Contract>>> = {
  readonly [Id in keyof R]: (asked: Asked<R[Id]>) => Promise<Replied<R[Id]["answers"]>>;
};

/** A handler as it is called, whatever its contract. */
type AnyHandler = (asked: {
  c: Context<AppEnv>;
  relay: Deps;
  path: Readonly<Record<string, string>>;
  query: unknown;
  readBody: () => Promise<unknown>;
}) => Promise<unknown>;

/** The routes of a resource: a handler for each contract, held to it. */
export function routes<R extends Readonly<Record<string, Contract>>>(
  resource: Resource<R>,
  handlers: Handlers<R>,
): Hono<AppEnv>;
export function routes(resource: Resource, handlers: Readonly<Record<string, AnyHandler>>): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ strict: false });
  for (const [id, contract] of Object.entries(resource.contracts)) {
    const handle = handlers[id];
    if (!handle) throw new Error(`${contract.at} has no handler`);
    const [method = "", path = ""] = contract.at.split(" ");
    const scope = contract.scope === null ? [] : [requireScope(contract.scope)];
    app.on(method, [path], ...scope, async (c) => answer(c, contract, handle));
  }
  return app;
}

async function answer(c: Context<AppEnv>, contract: Contract, handle: AnyHandler): Promise<Response> {
  const { query, body, answers } = contract;
  const reply = await handle({
    c,
    relay: c.var.relay,
    path: c.req.param(),
    query: query === undefined ? {} : readQuery(c, query),
    readBody: async () => (body === undefined ? undefined : readJsonBody(c, body)),
  });
  if (reply instanceof Response) return reply;
  const status = reply instanceof Reply ? reply.status : ANSWER_STATUSES.find((status) => status in answers);
  const value = reply instanceof Reply ? reply.value : reply;
  return c.body(JSON.stringify(value), status, { "content-type": "application/json" });
}
