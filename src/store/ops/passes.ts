import { desc, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type CronPass, type PassReport, passReport } from "../../answers/ops.ts";
import { ending } from "../database/counted.ts";
import { iso } from "../listing/common.ts";
import { cronPasses } from "../schema/index.ts";

/** A pass that found nothing to do. */
export const NOTHING_DONE: PassReport = passReport.parse({});

const MOST_PASSES = 500;

/** Stores a pass's report and forgets the oldest. */
export async function storePass(
  db: D1Database,
  startedAt: number,
  finishedAt: number,
  pass: PassReport,
): Promise<void> {
  const orm = drizzle(ending(db));
  await orm.batch([
    orm.insert(cronPasses).values({ startedAt, finishedAt, report: JSON.stringify(pass) }),
    orm.delete(cronPasses).where(sql`${cronPasses.id} <= (select max(id) from cron_passes) - ${MOST_PASSES}`),
  ]);
}

/** When the last pass began, epoch milliseconds, and where it stopped pulling; 0 and 0: there was none. */
export async function lastPass(db: D1Database): Promise<{ startedAt: number; nextPullId: number }> {
  const [row] = await drizzle(db).select().from(cronPasses).orderBy(desc(cronPasses.id)).limit(1);
  return { startedAt: row?.startedAt ?? 0, nextPullId: row ? readReport(row.report).next_pull_id : 0 };
}

/** The latest passes, newest first. */
export async function listPasses(db: D1Database, limit: number): Promise<CronPass[]> {
  const rows = await drizzle(db).select().from(cronPasses).orderBy(desc(cronPasses.id)).limit(limit);
  return rows.map(({ startedAt, finishedAt, report }) => ({
    started_at: iso(startedAt),
    finished_at: iso(finishedAt),
    ...readReport(report),
  }));
}

/** An older build named the fields otherwise: `pokedTrials`. */
function readReport(text: string): PassReport {
  const stored: Record<string, unknown> = JSON.parse(text);
  const named = Object.entries(stored).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return passReport.parse(Object.fromEntries(named));
}
