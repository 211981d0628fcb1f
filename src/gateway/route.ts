import type { Context } from "hono";
import { MAX_REQUEST_BYTES } from "../domain/limits.ts";
import type { Scope } from "../domain/words.ts";
import type { Deps } from "../relay/deps.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { readBytes } from "../routes/door/request-bytes.ts";
import { type Raw, readBody } from "./requests/body.ts";

/** An endpoint of MLflow's: what is answered is the body of a 200, or a response of its own. */
export type GatewayRoute = {
  methods: readonly ("GET" | "POST" | "PUT" | "PATCH" | "DELETE")[];
  path: string;
  /** Null: it judges by itself who may. */
  scope: Scope | null;
  answer: (c: Context<AppEnv>) => Promise<object>;
};

/** A write: its body is read by MLflow's rules. */
export function post<T>(
  path: string,
  read: (body: Raw) => T,
  write: (deps: Deps, asked: T) => Promise<object>,
): GatewayRoute {
  return {
    methods: ["POST"],
    path: `/2.0/mlflow/${path}`,
    scope: "ingest",
    answer: async (c) => write(c.var.relay, read(await bodyOf(c))),
  };
}

/** A question in a body. */
export function search<T>(
  path: string,
  read: (body: Raw) => T,
  answer: (deps: Deps, asked: T) => Promise<object>,
): GatewayRoute {
  return { ...post(path, read, answer), scope: "read" };
}

/** The same where an empty object says that it was taken. */
export function take<T>(
  path: string,
  read: (body: Raw) => T,
  write: (deps: Deps, asked: T) => Promise<void>,
): GatewayRoute {
  return post(path, read, async (deps, asked) => {
    await write(deps, asked);
    return {};
  });
}

export function get<T>(
  path: string,
  read: (query: URLSearchParams) => T,
  answer: (deps: Deps, asked: T) => Promise<object>,
): GatewayRoute {
  return {
    methods: ["GET"],
    path: `/2.0/mlflow/${path}`,
    scope: "read",
    answer: (c) => answer(c.var.relay, read(new URL(c.req.url).searchParams)),
  };
}

/** A request's JSON object, by MLflow's rules. */
export async function bodyOf(c: Context<AppEnv>): Promise<Raw> {
  return readBody(c.req.header("content-type") ?? null, await readBytes(c, MAX_REQUEST_BYTES));
}
