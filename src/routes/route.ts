import { type Context, Hono } from "hono";
import type { Deps } from "../relay/deps.ts";
import { ANSWER_STATUSES, type Contract, type Resource } from "./contract.ts";
import { requireScope } from "./door/auth.ts";
import { NotModified } from "./door/conditional.ts";
import type { AppEnv } from "./door/context.ts";
import { readJsonBody } from "./door/json-body.ts";
import { readQuery } from "./door/query.ts";
import { type Exactly, type Handlers, Reply } from "./handler.ts";

/** A handler as it is called, whatever its contract. */
type AnyHandler = (asked: {
  c: Context<AppEnv>;
  relay: Deps;
  path: Readonly<Record<string, string>>;
  query: unknown;
  readBody: () => Promise<unknown>;
}) => Promise<unknown>;

/** The routes of a resource: a handler for each contract, held to it. */
export function routes<R extends Readonly<Record<string, Contract>>, H extends Handlers<R>>(
  resource: Resource<R>,
  handlers: H & Exactly<R, H>,
): Hono<AppEnv>;
export function routes(resource: Resource, handlers: Readonly<Record<string, AnyHandler>>): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ strict: false });
  for (const [id, contract] of Object.entries(resource.contracts)) {
    const handle = handlers[id];
    if (!handle) throw new Error(`${contract.at} has no handler`);
    const [method = "", path = ""] = contract.at.split(" ");
    const scope = contract.scope === null ? [] : [requireScope(contract.scope)];
    app.on(method, [path], ...scope, async (c) => {
      try {
        return await answer(c, contract, handle);
      } catch (error) {
        if (error instanceof NotModified) return c.body(null, 304);
        throw error;
      }
    });
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
