import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { ADMIN } from "./api.ts";
import { page } from "./page.ts";

/** What the dashboard shows while the database does not answer. */

const ID = "0".repeat(32);
const WORDS = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";

/** A database whose every statement fails. */
const failing: D1Database = new Proxy(env.DB, {
  get() {
    return () => {
      throw new Error(WORDS);
    };
  },
});

it.each([
  "/",
  "/model-runs/study",
  `/trials/${ID}`,
  "/experiments",
  "/experiments/1",
  `/runs/${ID}`,
  "/delivery",
  "/delivery/blocked",
  "/delivery/dead-letters",
  "/delivery/dead-letters/1",
  "/delivery/refusals",
  "/delivery/conflicts",
  "/delivery/jobs",
  "/delivery/passes",
  "/delivery/tokens",
])("%s says in plain words that it cannot be shown, and how to try again", async (path) => {
  const { status, headers, text } = await page(path, {
    headers: { accept: "text/html" },
    vars: { DB: failing },
  });
  expect([status, headers.get("content-type")]).toEqual([503, "text/html; charset=UTF-8"]);
  expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  expect(text).toContain(`href="${path}">Try again`);
  expect(text).toContain('href="/experiments"');
  expect(text).not.toMatch(/D1_|overloaded|queued|select /i);
});

it("a program is told the same as ever", async () => {
  const response = await app.request(
    "/api/model-runs",
    { headers: { authorization: `Bearer ${ADMIN}`, accept: "text/html" } },
    { ...env, DB: failing },
    createExecutionContext(),
  );
  expect([response.status, response.headers.get("content-type")]).toEqual([503, "application/problem+json"]);
});
