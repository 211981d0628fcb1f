import type { Deps } from "../../relay/deps.ts";
import type { Caller } from "./token-cache.ts";

/** What the middleware puts into Hono's context for every handler. */
export type AppEnv = {
  Bindings: Env;
  Variables: { requestId: string; relay: Deps; caller: Caller };
};
