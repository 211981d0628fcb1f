import { databaseAround, type Part } from "./around.ts";
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

/** A statement of one way may be run in a batch of another. */
const known = new WeakMap<D1PreparedStatement, Part>();

function databaseOf(way: Way): D1Database {
  const { budget, random, repeats, ends } = way;
  const db = databaseAround(
    way.real,
    (parts, work) => {
      const once = async () => {
        if (ends) budget.drawForEnding(parts.length);
        else budget.draw(parts.length);
        return work();
      };
      return repeats || parts.every(({ sql }) => isRead(sql)) ? repeatedly(once, random) : once();
    },
    known,
  );
  ways.set(db, way);
  return db;
}

/** As D1 itself tells it: by the words that are in it. */
function isRead(sql: string): boolean {
  return /^\s*(select|with)\b/i.test(sql) && !/\b(insert|update|delete|replace)\b/i.test(sql);
}
