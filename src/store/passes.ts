import { desc, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { cronPasses } from "./schema.ts";

/** What one pass of the cron did. Counts, but for `probe` and `error`. */
export type PassReport = {
  pokedTrials: number;
  settledCreates: number;
  deletedDoubles: number;
  quietTrials: number;
  retiredTrials: number;
  prunedRows: number;
  probe: "closed" | "open" | "not due";
  error: string | null;
};

const report: z.ZodType<PassReport> = z.object({
  pokedTrials: z.number(),
  settledCreates: z.number(),
  deletedDoubles: z.number(),
  quietTrials: z.number(),
  retiredTrials: z.number(),
  prunedRows: z.number(),
  probe: z.enum(["closed", "open", "not due"]),
  error: z.string().nullable(),
});

const KEPT_PASSES = 500;

/** Stores a pass's report and forgets the oldest. */
export async function storePass(
  db: D1Database,
  startedAt: number,
  finishedAt: number,
  pass: PassReport,
): Promise<void> {
  const orm = drizzle(db);
  await orm.batch([
    orm.insert(cronPasses).values({ startedAt, finishedAt, report: JSON.stringify(pass) }),
    orm.delete(cronPasses).where(sql`${cronPasses.id} <= (select max(id) from cron_passes) - ${KEPT_PASSES}`),
  ]);
}

/** The latest passes, newest first. */
export async function listPasses(db: D1Database, limit: number) {
  const rows = await drizzle(db).select().from(cronPasses).orderBy(desc(cronPasses.id)).limit(limit);
  return rows.map((row) => {
    const pass = report.parse(JSON.parse(row.report));
    return {
      started_at: new Date(row.startedAt).toISOString(),
      finished_at: new Date(row.finishedAt).toISOString(),
      poked_trials: pass.pokedTrials,
      settled_creates: pass.settledCreates,
      deleted_doubles: pass.deletedDoubles,
      quiet_trials: pass.quietTrials,
      retired_trials: pass.retiredTrials,
      pruned_rows: pass.prunedRows,
      probe: pass.probe,
      error: pass.error,
    };
  });
}
