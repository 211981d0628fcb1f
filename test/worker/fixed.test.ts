import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { expect, test } from "vitest";
import { type At, fixed } from "../../src/store/fixed.ts";

/** Rows with both values, each used twice, in another order than they are given in, beside text that is always the same. */
const rows = fixed((orm, at: At<"a" | "b">) =>
  orm
    .select({ a: sql<number>`${at("a")}`.mapWith(Number).as("a"), b: sql<string | null>`${at("b")}`.as("b") })
    .from(sql`(select ${"it's"} as word)`)
    .where(sql`word = ${"it's"} and coalesce(${at("b")}, '') || ${at("a")} <> 'nothing'`)
    .limit(1),
);

test("a query that is built once answers each time by the values that it is given", async () => {
  const [one, other] = [
    { b: "first", a: 1 },
    { a: 2, b: null },
  ];
  const answers = await drizzle(env.DB).batch([rows(env.DB, one), rows(env.DB, other)]);
  expect(answers).toEqual([[one], [other]]);
});

test("a query that is built once binds each value once, and nothing that is always the same", () => {
  const { sql: text, params } = rows(env.DB, { a: 1, b: "it's" })._prepare().getQuery();
  expect(params).toEqual([1, "it's"]);
  expect(text).toContain("limit 1");
});
