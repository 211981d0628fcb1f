import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { like } from "../../src/search/like.ts";

/** A LIKE of any length, as MLflow's databases have it, in D1, which takes patterns of 50 bytes only. */

const orm = drizzle(env.DB);

async function fits(text: string, pattern: string, ignoreCase: boolean): Promise<boolean> {
  const { fits } = await orm.get<{ fits: number }>(
    sql`select ${like(sql`given.text`, pattern, ignoreCase)} as fits from (select ${text} as text) given`,
  );
  return fits === 1;
}

/** The same by the regular expressions of the language. */
function isLike(text: string, pattern: string, ignoreCase: boolean): boolean {
  const source = pattern
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replaceAll("%", "[^]*")
    .replaceAll("_", "[^]");
  return new RegExp(`^${source}$`, ignoreCase ? "iu" : "u").test(text);
}

const letters = (unit: string) => fc.array(fc.constantFrom(...[...unit]), { maxLength: 90 });

test("says of any text and any pattern what MLflow's databases say", async () => {
  const text = letters("ab*[]?ü😀");
  const pattern = text.chain((chars) =>
    fc
      .array(fc.constantFrom("_", "%", "", "same", "same", "same"), {
        minLength: chars.length,
        maxLength: chars.length,
      })
      .map((how) => ({
        text: chars.join(""),
        pattern: chars.map((char, i) => (how[i] === "same" ? char : how[i])).join(""),
      })),
  );
  await fc.assert(
    fc.asyncProperty(pattern, fc.boolean(), async ({ text, pattern }, ignoreCase) => {
      expect(await fits(text, pattern, ignoreCase)).toBe(isLike(text, pattern, ignoreCase));
    }),
    { numRuns: 300 },
  );
});

test("reads a long text for a long pattern in a few steps a place", async () => {
  const text = "a".repeat(7_000);
  expect(await fits(text, `%${"a_".repeat(100)}b%`, false)).toBe(false);
  expect(await fits(`${text}b`, `%${"a_".repeat(100)}b%`, false)).toBe(true);
});
