import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { SCOPES, type Scope } from "../../domain/words.ts";
import { HttpFailure } from "../../errors.ts";
import { errorText } from "../../log.ts";
import type { Deps } from "../../relay/deps.ts";
import { remembered } from "../../remembered.ts";
import { activeToken, activeTokenById, sha256, TOKEN_FORM } from "../../store/ops/tokens.ts";
import { withDeadline } from "../../waiting.ts";
import { ACCESS_HEADER, Access } from "./access.ts";
import type { AppEnv } from "./context.ts";
import { countStranger, refuseClosed } from "./rate.ts";
import { refuseCrossSite, sessionOf } from "./session.ts";
import { type Caller, type KnownToken, TokenCache } from "./token-cache.ts";

export type { Caller } from "./token-cache.ts";

const LOOK_UP_TIMEOUT_MS = 3_000;
const RETRY_AFTER_SECONDS = 5;

const tokens = remembered(() => new TokenCache());
const access = remembered(
  () => new Access({ fetch: (url, init) => fetch(url, init), now: () => Date.now() }),
);

/** Who has ADMIN_TOKEN. */
const ADMIN: Caller = { tokenId: "admin", scopes: SCOPES };

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
 * The caller, if the request's token has the scope, or, without a token, that of its session.
 * @throws HttpFailure unauthenticated, forbidden, rate_limited, unavailable
 */
export async function authorize(
  c: Context<AppEnv>,
  scope: Scope,
  tokenIn: TokenIn = fromBearer,
): Promise<Caller> {
  const header = c.req.header("authorization");
  const token = tokenIn(header);
  const caller = token !== undefined ? await callerOf(c, token) : header ? null : await signedIn(c);
  if (!caller) {
    await countStranger(c);
    throw new HttpFailure({ kind: "unauthenticated", detail: whyNot(header, token, scope) });
  }
  // A header is never sent unasked, as a cookie is.
  if (header === undefined) refuseCrossSite(c);
  if (!caller.scopes.includes(scope))
    throw new HttpFailure({
      kind: "forbidden",
      detail: `This needs a token with the scope '${scope}'; this token has: ${caller.scopes.join(", ")}.`,
    });
  return caller;
}

/**
 * Who comes without a token of their own: signed in on the dashboard with one that is still active, or let through by
 * Cloudflare Access; null for anybody else.
 */
export async function signedIn(c: Context<AppEnv>): Promise<Caller | null> {
  const session = await sessionOf(c);
  const caller = session && (await callerById(c, session.tokenId));
  return caller ?? passedAccess(c);
}

async function passedAccess(c: Context<AppEnv>): Promise<Caller | null> {
  const { config, log } = c.var.relay;
  const assertion = c.req.header(ACCESS_HEADER);
  if (config.access === null || assertion === undefined) return null;
  try {
    return await access.value.callerOf(assertion, config.access);
  } catch (error) {
    log.warn("Cloudflare Access did not give its keys", { error: errorText(error) });
    return null;
  }
}

function whyNot(header: string | undefined, token: string | undefined, scope: Scope): string {
  if (token !== undefined) return "The token is not known, has expired or was revoked.";
  return header
    ? "The Authorization header must be 'Bearer <token>'."
    : `Send a token with the scope '${scope}' as 'Authorization: Bearer <token>'.`;
}

/** The caller behind a token's text, or null. */
export async function callerOf(c: Context<AppEnv>, token: string): Promise<Caller | null> {
  const { relay } = c.var;
  const [hash, adminHash] = await Promise.all([sha256(token), sha256(relay.config.adminToken)]);
  // Digests are of one length and say nothing of how much of a guess was right; still, compare them in constant time.
  if (crypto.subtle.timingSafeEqual(hash, adminHash)) return ADMIN;
  // What the relay did not make, the database need not be asked about.
  if (!TOKEN_FORM.test(token)) return null;
  const hex = hash.toHex();
  const known = tokens.value.fresh(hex, relay.now());
  if (known !== null) return known === "bad" ? null : known;
  if (!tokens.value.isKnown(hex)) refuseClosed(c);
  return lookUp(relay, hex, () => activeToken(relay.db, hex, relay.now()));
}

/** The same by the id that a session names: it was signed, so nobody has guessed it. */
async function callerById(c: Context<AppEnv>, id: string): Promise<Caller | null> {
  const { relay } = c.var;
  if (id === ADMIN.tokenId) return ADMIN;
  const known = tokens.value.fresh(id, relay.now());
  if (known !== null) return known === "bad" ? null : known;
  return lookUp(relay, id, () => activeTokenById(relay.db, id, relay.now()));
}

/**
 * Asks the database; while it does not answer, a token that was good a while ago still is.
 * @param key what the token is remembered by: its hash, or its id
 */
async function lookUp(
  { now, log }: Pick<Deps, "now" | "log">,
  key: string,
  ask: () => Promise<KnownToken | null>,
): Promise<Caller | null> {
  try {
    const token = await withDeadline(LOOK_UP_TIMEOUT_MS, ask());
    tokens.value.note(key, token, now());
    return token?.caller ?? null;
  } catch (error) {
    log.error("the database does not say whose a token is", { error: errorText(error) });
    const trusted = tokens.value.trusted(key, now());
    if (trusted) return trusted;
    throw new HttpFailure({
      kind: "unavailable",
      detail: "The database that knows the tokens does not answer. Nothing of this request was acknowledged.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}
