import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { expect, test } from "vitest";
import { type At, fixed, fixedEach } from "../../src/store/fixed.ts";

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

/** The values that are asked for, in a row of their own. */
const chosen = fixedEach((names: string[], orm, at: At<string>) =>
  orm.select(Object.fromEntries(names.map((name) => [name, at(name).as(name)]))).from(sql`(select 1)`),
);

test("of queries that differ by their shape each answers by its own", async () => {
  const answers = await drizzle(env.DB).batch([
    chosen(env.DB, ["a"], { a: 1 }),
    chosen(env.DB, ["b", "a"], { a: 2, b: 3 }),
    chosen(env.DB, ["a"], { a: 4 }),
  ]);
  expect(answers).toEqual([[{ a: 1 }], [{ b: 3, a: 2 }], [{ a: 4 }]]);
});
