import type { Context } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import type { CookieOptions } from "hono/utils/cookie";
import { HttpFailure } from "../../errors.ts";
import type { AppEnv } from "./context.ts";
import { keyFrom } from "./own-key.ts";

/**
 * Who has signed in on the dashboard: a cookie that says which token it was, and until when. It holds nothing of the
 * token's text, and is signed by a key that is made from ADMIN_TOKEN: a new one there ends every session.
 */

export type Session = { tokenId: string; expiresAt: number };

export const SESSION_MS = 14 * 86_400_000;
const NAME = "trial-relay-session";
const KEY_USE = "trial-relay dashboard session";
const FORM = /^([\w-]{1,64})\.(\d{1,16})$/;

/** The session of a request, if its cookie was signed here and is not over. */
export async function sessionOf(c: Context<AppEnv>): Promise<Session | null> {
  // Only a request with a cookie costs a key.
  if (c.req.header("cookie") === undefined) return null;
  const text = await getSignedCookie(
    c,
    await keyFrom(c.var.relay.config.adminToken, KEY_USE),
    NAME,
    prefixOf(c),
  );
  const [, tokenId = "", expiresAt] = FORM.exec(text || "") ?? [];
  const session = { tokenId, expiresAt: Number(expiresAt) };
  return session.expiresAt > c.var.relay.now() ? session : null;
}

/** Sets the session's cookie. */
export async function startSession(c: Context<AppEnv>, { tokenId, expiresAt }: Session): Promise<void> {
  await setSignedCookie(
    c,
    NAME,
    `${tokenId}.${expiresAt}`,
    await keyFrom(c.var.relay.config.adminToken, KEY_USE),
    cookieOf(c, expiresAt - c.var.relay.now()),
  );
}

export function endSession(c: Context<AppEnv>): void {
  deleteCookie(c, NAME, cookieOf(c, 0));
}

/**
 * What a page elsewhere could have a browser send is refused: the cookie goes with it, the intent does not.
 * @throws HttpFailure forbidden
 */
export function refuseCrossSite(c: Context<AppEnv>): void {
  if (["GET", "HEAD", "OPTIONS"].includes(c.req.method)) return;
  const site = c.req.header("sec-fetch-site");
  const isOwn = site === undefined ? isOwnOrigin(c) : site === "same-origin";
  if (isOwn) return;
  throw new HttpFailure({
    kind: "forbidden",
    detail: "With a session's cookie only the relay's own pages may change anything; send a token instead.",
  });
}

function isOwnOrigin(c: Context<AppEnv>): boolean {
  return c.req.header("origin") === new URL(c.req.url).origin;
}

/** A browser takes `__Host-` over https only, and then from no other host and no other path. */
function prefixOf(c: Context<AppEnv>) {
  return new URL(c.req.url).protocol === "https:" ? "host" : undefined;
}

function cookieOf(c: Context<AppEnv>, ms: number): CookieOptions {
  const all = {
    path: "/",
    httpOnly: true,
    sameSite: "Lax",
    maxAge: Math.max(0, Math.floor(ms / 1000)),
  } as const;
  const prefix = prefixOf(c);
  return prefix === undefined ? all : { ...all, prefix, secure: true };
}
