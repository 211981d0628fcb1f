import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HttpFailure } from "../../errors.ts";
import { callerOf } from "../../routes/door/auth.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { countStranger } from "../../routes/door/rate.ts";
import { endSession, refuseCrossSite, SESSION_MS, startSession } from "../../routes/door/session.ts";
import { openPage } from "../page.tsx";

const MAX_FORM_BYTES = 16_384;

/** Signing in with a token, and out. */
export const signInPages = new Hono<AppEnv>({ strict: false });

signInPages.get("/sign-in", openPage, (c) =>
  c.render(<SignIn next={ownPath(c.req.query("next"), c.req.url)} />, { title: "Sign in" }),
);

const isSmall = bodyLimit({
  maxSize: MAX_FORM_BYTES,
  onError: () => {
    throw new HttpFailure({ kind: "payload_too_large", detail: "A token is not as long as that." });
  },
});

signInPages.post("/sign-in", openPage, isSmall, async (c) => {
  refuseCrossSite(c);
  const form = await c.req.parseBody();
  const next = ownPath(form.next, c.req.url);
  const token = typeof form.token === "string" ? form.token.trim() : "";
  const caller = token === "" ? null : await callerOf(c, token);
  if (caller?.scopes.includes("read")) {
    await startSession(c, { tokenId: caller.tokenId, expiresAt: c.var.relay.now() + SESSION_MS });
    return c.redirect(next, 303);
  }
  if (!caller) await countStranger(c);
  c.status(caller ? 403 : 401);
  const problem = caller
    ? `This token may not read: it has the scope ${caller.scopes.join(", ")}.`
    : "The token is not known, has expired or was revoked.";
  return c.render(<SignIn next={next} problem={problem} />, { title: "Sign in" });
});

signInPages.post("/sign-out", (c) => {
  refuseCrossSite(c);
  endSession(c);
  return c.redirect("/sign-in", 303);
});

/** Where to go on: a path of this relay, whatever was asked for. */
function ownPath(next: unknown, url: string): string {
  if (typeof next !== "string" || !next.startsWith("/")) return "/";
  const target = URL.parse(next, url);
  if (!target || target.origin !== new URL(url).origin) return "/";
  return target.pathname.replace(/^\/+/, "/") + target.search;
}

function SignIn({ next, problem }: { next: string; problem?: string }) {
  return (
    <div class="card sign-in">
      <h1>Sign in</h1>
      <p>With a token of this relay that may read.</p>
      <form method="post" action="/sign-in">
        <input type="hidden" name="next" value={next} />
        <label>
          Token
          <input
            type="password"
            name="token"
            required
            autofocus
            autocomplete="current-password"
            spellcheck={false}
            aria-describedby={problem ? "problem" : undefined}
          />
        </label>
        {problem && (
          <p id="problem" class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
      <p class="hint">
        The first token is <code>ADMIN_TOKEN</code>; after <code>npm start</code> it is in{" "}
        <code>.dev.vars</code>. Others are made at <a href="/docs#createToken">/api/ops/tokens</a>.
      </p>
    </div>
  );
}
