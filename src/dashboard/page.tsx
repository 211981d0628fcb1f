import type { Context } from "hono";
import { every } from "hono/combine";
import { etag } from "hono/etag";
import { createMiddleware } from "hono/factory";
import type { Scope } from "../domain/words.ts";
import { HttpFailure } from "../errors.ts";
import { signedIn } from "../routes/door/auth.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { layout } from "./parts/layout.tsx";

/** What stands before every page. */

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "frame-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Nothing from elsewhere, no script and no style in the page itself, nobody's frame, and nobody else's cache. */
const policy = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  setPolicy(c);
});

function setPolicy(c: Context<AppEnv>): void {
  c.header("content-security-policy", POLICY);
  c.header("cache-control", "private, no-cache");
}

/** A page for everybody. */
export const openPage = every(policy, layout);

/** A page for who signed in with a token that has the scope; others are asked to, and come back to it then. */
export function page(scope: Scope = "read") {
  const session = createMiddleware<AppEnv>(async (c, next) => {
    const caller = await signedIn(c);
    if (!caller) {
      const { pathname, search } = new URL(c.req.url);
      return c.redirect(`/sign-in?next=${encodeURIComponent(pathname + search)}`, 303);
    }
    c.set("caller", caller);
    if (!caller.scopes.includes(scope))
      throw new HttpFailure({
        kind: "forbidden",
        detail: `This page needs a token with the scope '${scope}'; you signed in with one that has: ${caller.scopes.join(", ")}.`,
      });
    return next();
  });
  // The tag is of the whole page: who asks again is told that nothing changed.
  return every(policy, etag({ weak: true }), layout, session);
}

/** A page outside of any route, in the same frame. */
export async function framed(
  c: Context<AppEnv>,
  render: () => Response | Promise<Response>,
): Promise<Response> {
  await layout(c, async () => {});
  setPolicy(c);
  return render();
}
