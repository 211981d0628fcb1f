import { createMiddleware } from "hono/factory";
import { HttpFailure } from "../errors.ts";
import { activeToken, SCOPES, type Scope, sha256 } from "../store/tokens.ts";
import type { AppEnv } from "./context.ts";

/** Who calls: a token by its public id, never by its text. */
export type Caller = { tokenId: string; scopes: readonly Scope[] };

/** A revoked token works no longer than this in an isolate that has just used it. */
const CACHE_MS = 5_000;
const CACHE_ENTRIES = 1_000;
const RETRY_AFTER_SECONDS = 5;

const cache = new Map<string, { caller: Caller | null; until: number }>();

/** Lets the request through if its bearer token has the scope; `admin` has them all. */
export function requireScope(scope: Scope) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const header = c.req.header("authorization");
    const token = /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
    if (!token)
      throw new HttpFailure({
        kind: "unauthenticated",
        detail: header
          ? "The Authorization header must be 'Bearer <token>'."
          : `Send a token with the scope '${scope}' as 'Authorization: Bearer <token>'.`,
      });
    const caller = await authenticate(
      c.var.relay.db,
      c.var.relay.config.adminToken,
      token,
      c.var.relay.now(),
    );
    if (!caller)
      throw new HttpFailure({
        kind: "unauthenticated",
        detail: "The token is not known, has expired or was revoked.",
      });
    if (!caller.scopes.includes(scope))
      throw new HttpFailure({
        kind: "forbidden",
        detail: `This needs a token with the scope '${scope}'; this token has: ${caller.scopes.join(", ")}.`,
      });
    c.set("caller", caller);
    await next();
  });
}

async function authenticate(
  db: D1Database,
  adminToken: string,
  token: string,
  now: number,
): Promise<Caller | null> {
  const [hash, adminHash] = await Promise.all([sha256(token), sha256(adminToken)]);
  // Digests are of one length and say nothing of how much of a guess was right; still, compare them in constant time.
  if (crypto.subtle.timingSafeEqual(hash, adminHash)) return { tokenId: "admin", scopes: SCOPES };
  const hex = hash.toHex();
  const known = cache.get(hex);
  if (known && known.until > now) return known.caller;
  const caller = await lookUp(db, hex, now, known?.caller ?? null);
  if (cache.size >= CACHE_ENTRIES) cache.clear();
  cache.set(hex, { caller, until: now + CACHE_MS });
  return caller;
}

/** While the database refuses, a token that was good a moment ago still is: events must be able to reach the queue. */
async function lookUp(
  db: D1Database,
  hash: string,
  now: number,
  known: Caller | null,
): Promise<Caller | null> {
  try {
    return await activeToken(db, hash, now);
  } catch {
    if (known) return known;
    throw new HttpFailure({
      kind: "unavailable",
      detail: "The database that knows the tokens does not answer. Nothing of this request was acknowledged.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}
