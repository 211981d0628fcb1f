import type { Budget } from "./budget.ts";
import { repeatedly } from "./transient.ts";

/**
 * How statements are run. `repeats`: also those that write are tried again when D1 loses the connection, because their
 * author says that they may be (`repeatable`). `ends`: they may take of what is kept back (`ending`).
 */
type Way = { real: D1Database; budget: Budget; random: () => number; repeats: boolean; ends: boolean };

/** How each counted database runs its statements; what is not in it is a database of its own, such as a test's. */
const ways = new WeakMap<D1Database, Way>();

/**
 * The database with its statements drawn from a budget before they are run, those of a batch one by one. One that is
 * counted already is counted on this budget instead.
 */
export function counted(db: D1Database, budget: Budget, random: () => number): D1Database {
  const real = ways.get(db)?.real ?? db;
  return databaseOf({ real, budget, random, repeats: false, ends: false });
}

/**
 * The same database for statements that come to the same end, and give the same answer, when they are done twice. D1
 * cannot say whether a statement whose answer was lost took effect, and only who wrote it knows whether that matters:
 * what sets values under a lease's token may be repeated, what adds to a count may not. What only reads always is.
 */
export function repeatable(db: D1Database): D1Database {
  const way = ways.get(db);
  return way ? databaseOf({ ...way, repeats: true }) : db;
}

/** The same database for what ends work that was begun: it has room when nothing else has any. */
export function ending(db: D1Database): D1Database {
  const way = ways.get(db);
  return way ? databaseOf({ ...way, ends: true }) : db;
}

/** D1 looks into the statements of a batch, so it must get its own back. */
const inner = new WeakMap<D1PreparedStatement, { statement: D1PreparedStatement; reads: boolean }>();

function databaseOf(way: Way): D1Database {
  const wrapped = (statement: D1PreparedStatement, reads: boolean): D1PreparedStatement => {
    const outer = new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => wrapped(target.bind(...values), reads);
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => run(way, 1, reads, async () => Reflect.apply(member, target, args));
      },
    });
    inner.set(outer, { statement, reads });
    return outer;
  };
  const db = new Proxy(way.real, {
    get(target, name) {
      if (name === "prepare") return (sql: string) => wrapped(target.prepare(sql), isRead(sql));
      if (name === "batch")
        return (statements: D1PreparedStatement[]) => {
          const parts = statements.map((one) => inner.get(one) ?? { statement: one, reads: false });
          const reads = parts.every((part) => part.reads);
          return run(way, parts.length, reads, () => target.batch(parts.map(({ statement }) => statement)));
        };
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  ways.set(db, way);
  return db;
}

function run<T>(way: Way, statements: number, reads: boolean, work: () => Promise<T>): Promise<T> {
  const { budget, random, repeats, ends } = way;
  const once = async () => {
    if (ends) budget.drawForEnding(statements);
    else budget.draw(statements);
    return work();
  };
  return reads || repeats ? repeatedly(once, random) : once();
}

/** As D1 itself tells it: by the words that are in it. */
function isRead(sql: string): boolean {
  return /^\s*(select|with)\b/i.test(sql) && !/\b(insert|update|delete|replace)\b/i.test(sql);
}
