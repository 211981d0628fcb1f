import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { SCOPES, type Scope } from "../../domain/words.ts";
import { HttpFailure } from "../../errors.ts";
import type { Deps } from "../../relay/deps.ts";
import { activeToken, sha256, TOKEN_FORM } from "../../store/ops/tokens.ts";
import { withDeadline } from "../../waiting.ts";
import type { AppEnv } from "./context.ts";
import { countStranger, refuseClosed } from "./rate.ts";
import { type Caller, TokenCache } from "./token-cache.ts";

export type { Caller } from "./token-cache.ts";

const LOOK_UP_TIMEOUT_MS = 3_000;
const RETRY_AFTER_SECONDS = 5;

const cache = new TokenCache();

/** Lets the request through if its bearer token has the scope; `admin` has them all. */
export function requireScope(scope: Scope) {
  return createMiddleware<AppEnv>(async (c, next) => {
    c.set("caller", await authorize(c, scope));
    await next();
  });
}

/** The token of an Authorization header; undefined where there is none. */
type TokenIn = (header: string | undefined) => string | undefined;

const fromBearer: TokenIn = (header) => /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];

/** The same where MLflow's clients may send the token as a password too, with whatever name. */
export const fromBearerOrBasic: TokenIn = (header) => {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? "")?.[1];
  return encoded === undefined ? fromBearer(header) : passwordIn(encoded);
};

function passwordIn(encoded: string): string | undefined {
  try {
    const [, ...password] = atob(encoded).split(":");
    return password.join(":") || undefined;
  } catch {
    return undefined;
  }
}

/**
 * The caller, if the request's token has the scope.
 * @throws HttpFailure unauthenticated, forbidden, rate_limited, unavailable
 */
export async function authorize(
  c: Context<AppEnv>,
  scope: Scope,
  tokenIn: TokenIn = fromBearer,
): Promise<Caller> {
  const header = c.req.header("authorization");
  const token = tokenIn(header);
  const caller = token === undefined ? null : await authenticate(c, token);
  if (!caller) {
    await countStranger(c);
    throw new HttpFailure({ kind: "unauthenticated", detail: whyNot(header, token, scope) });
  }
  if (!caller.scopes.includes(scope))
    throw new HttpFailure({
      kind: "forbidden",
      detail: `This needs a token with the scope '${scope}'; this token has: ${caller.scopes.join(", ")}.`,
    });
  return caller;
}

function whyNot(header: string | undefined, token: string | undefined, scope: Scope): string {
  if (token !== undefined) return "The token is not known, has expired or was revoked.";
  return header
    ? "The Authorization header must be 'Bearer <token>'."
    : `Send a token with the scope '${scope}' as 'Authorization: Bearer <token>'.`;
}

async function authenticate(c: Context<AppEnv>, token: string): Promise<Caller | null> {
  const { relay } = c.var;
  const [hash, adminHash] = await Promise.all([sha256(token), sha256(relay.config.adminToken)]);
  // Digests are of one length and say nothing of how much of a guess was right; still, compare them in constant time.
  if (crypto.subtle.timingSafeEqual(hash, adminHash)) return { tokenId: "admin", scopes: SCOPES };
  // What the relay did not make, the database need not be asked about.
  if (!TOKEN_FORM.test(token)) return null;
  const hex = hash.toHex();
  const known = cache.fresh(hex, relay.now());
  if (known !== null) return known === "bad" ? null : known;
  if (!cache.isKnown(hex)) refuseClosed(c);
  return lookUp(relay, hex);
}

/** Asks the database; while it does not answer, a token that was good a while ago still is. */
async function lookUp({ db, now }: Pick<Deps, "db" | "now">, hash: string): Promise<Caller | null> {
  try {
    const token = await withDeadline(LOOK_UP_TIMEOUT_MS, activeToken(db, hash, now()));
    cache.note(hash, token, now());
    return token?.caller ?? null;
  } catch {
    const trusted = cache.trusted(hash, now());
    if (trusted) return trusted;
    throw new HttpFailure({
      kind: "unavailable",
      detail: "The database that knows the tokens does not answer. Nothing of this request was acknowledged.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}
