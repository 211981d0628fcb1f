import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../src/app.ts";
import { ADMIN } from "./api.ts";
import { metered } from "./metered.ts";

const ORIGIN = "http://relay.test";

/** A page as a browser has it that signed in with a token, and what the database read for it. */
export async function page(
  path: string,
  { token = ADMIN, headers = {} as Record<string, string>, vars = {} } = {},
) {
  const { db, meter } = metered(env.DB);
  const ask = (to: string, init: RequestInit) =>
    app.request(`${ORIGIN}${to}`, init, { ...env, DB: db, ...vars }, createExecutionContext());
  const body = new URLSearchParams({ token, next: "/" });
  const signed = await ask("/sign-in", {
    method: "POST",
    body,
    headers: { "sec-fetch-site": "same-origin" },
  });
  const cookie = signed.headers.get("set-cookie")?.split(";")[0] ?? "";
  const before = meter.rowsRead;
  const response = await ask(path, { headers: { cookie, ...headers } });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    rowsRead: meter.rowsRead - before,
    meter,
  };
}
