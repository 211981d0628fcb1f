import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { withMiniflares } from "./database.ts";

/** The database of the worker tests answers as Miniflare's D1 does, but for times and sizes. */

const TABLE = "create table answers (id integer primary key, value, other text unique)";
const INSERT = "insert into answers (value, other) values (?1, ?2)";
const ALL = "select * from answers order by id";

type Work = (db: D1Database) => Promise<unknown>;

const VALUES = [null, 0, -1, 1.5, 2 ** 53, "", "text", "\u0000 ü 🙂", true, new Uint8Array([0, 255]).buffer];

const WORKS: Record<string, Work> = {
  "values of every kind, bound and read": async (db) => {
    for (const [i, value] of VALUES.entries()) await db.prepare(INSERT).bind(value, `kind ${i}`).run();
    return db.prepare(`${ALL} limit 100`).all();
  },
  "rows as arrays, with the names of columns": (db) => db.prepare(ALL).raw({ columnNames: true }),
  "two columns of one name": (db) => db.prepare("select 1 as a, 2 as a").all(),
  "rows as arrays with two columns of one name": (db) => db.prepare("select 1 as a, 2 as a").raw(),
  "the first row, and the first of none": async (db) => [
    await db.prepare(ALL).first(),
    await db.prepare(ALL).first("id"),
    await db.prepare(`${ALL} limit 0`).first(),
  ],
  "what a write says of itself": (db) => db.prepare(INSERT).bind("said", "said").run(),
  "rows that a write gives": (db) =>
    db.prepare("update answers set value = ?1 where id <= 2 returning id, value").bind("new").all(),
  "a write that changes nothing": (db) => db.prepare("update answers set value = 1 where id = -1").run(),
  "a write of a common table expression": (db) =>
    db.prepare("with one(n) as (select 1) insert into answers (value, other) select n, 'cte' from one").run(),
  "a batch": (db) =>
    db.batch([
      db.prepare(INSERT).bind(1, "batch 1"),
      db.prepare(INSERT).bind(2, "batch 2"),
      db.prepare("select count(*) as n from answers"),
      db.prepare("delete from answers where other like 'batch %'"),
    ]),
  "a batch of which one fails leaves nothing": async (db) => [
    await refusal(db.batch([db.prepare(INSERT).bind(1, "gone"), db.prepare(INSERT).bind(2, "said")])),
    await db.prepare("select count(*) as n from answers where other = 'gone'").all(),
    await db.prepare(INSERT).bind(3, "after the failure").run(),
  ],
  "what is no SQL": (db) => refusal(db.prepare("selec 1").all()),
  "a table that is not there": (db) => refusal(db.prepare("select * from nowhere").all()),
  "too few values": (db) => refusal(db.prepare("select ?1, ?2").bind(1).all()),
  "too many values": (db) => refusal(db.prepare("select ?1").bind(1, 2).all()),
  "no statement": (db) => refusal(db.prepare("-- only words").all()),
  "a value that is no number": (db) => refusal(db.prepare("select ?1 as v").bind(Number.NaN).all()),
  "a number that JSON does not have, from the database": (db) =>
    refusal(db.prepare("select 1e999 as v").all()),
  "JSON and the clock": (db) =>
    db.prepare("select json_extract('{\"a\":[1]}', '$.a[0]') as one, unixepoch('subsec') > 1e9 as now").all(),
};

/** What it comes to: the answer, or what is said where it throws. */
async function refusal(asked: Promise<unknown>): Promise<unknown> {
  return asked.catch((error: unknown) => String(error));
}

/** Without what differs from run to run, and from machine to machine. */
function comparable(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer, (key, value) => (["duration", "timings", "size_after"].includes(key) ? 0 : value)),
  );
}

async function answers(): Promise<Record<string, unknown>> {
  const { DB: db } = env;
  await db.prepare(TABLE).run();
  const all: Record<string, unknown> = {};
  for (const [what, work] of Object.entries(WORKS)) all[what] = comparable(await work(db));
  return all;
}

test("the tests' database answers as Miniflare's", async () => {
  const own = await answers();
  const theirs = await withMiniflares(answers);
  for (const what of Object.keys(WORKS)) expect(own[what], what).toEqual(theirs[what]);
});
