import { and, eq, gte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { historyPages, mlflowRuns } from "../schema/index.ts";
import { jsonChunks } from "../sql.ts";
import type { SeriesPoint } from "./points.ts";

/** The cache of metric histories that were read from MLflow on demand. */

const points = z.array(z.tuple([z.number(), z.number(), z.union([z.number(), z.string()])]));
const header = z.object({ pages: z.number() });

/** Stands before the pages; it is written last, so that a history that was cut short is none. */
const HEADER_PAGE = -1;
/** How many pages, of up to 900 KB each, go to the database at once. */
const PAGES_A_BATCH = 5;

/** When a history was read from MLflow, epoch milliseconds, and of how many pages it is. */
export type CachedHistory = { readAt: number; pages: number };

/** What the cache has of a metric, and what the mirror knows of its run; null: the mirror has no such run. */
export async function cachedHistory(db: D1Database, runId: string, key: string) {
  const row = await drizzle(db)
    .select({
      status: mlflowRuns.status,
      syncedAt: mlflowRuns.syncedAt,
      header: historyPages.points,
      readAt: historyPages.readAt,
    })
    .from(mlflowRuns)
    .leftJoin(
      historyPages,
      and(eq(historyPages.mlflowRunId, runId), eq(historyPages.key, key), eq(historyPages.page, HEADER_PAGE)),
    )
    .where(eq(mlflowRuns.mlflowRunId, runId))
    .get();
  if (!row) return null;
  const { status, syncedAt, readAt } = row;
  const cached: CachedHistory | null =
    row.header === null || readAt === null
      ? null
      : { readAt, pages: header.parse(JSON.parse(row.header)).pages };
  return { status, syncedAt, cached };
}

/**
 * The points of a cached history within a range of steps, page by page.
 * @returns null when it was replaced or pruned meanwhile
 */
export async function readCached(
  db: D1Database,
  runId: string,
  key: string,
  { readAt, pages }: CachedHistory,
  isWithin: (step: number) => boolean,
): Promise<SeriesPoint[] | null> {
  const inRange: SeriesPoint[] = [];
  const orm = drizzle(db);
  for (let page = 0; page < pages; page++) {
    const isPage = and(
      eq(historyPages.mlflowRunId, runId),
      eq(historyPages.key, key),
      eq(historyPages.page, page),
      eq(historyPages.readAt, readAt),
    );
    const row = await orm.select({ points: historyPages.points }).from(historyPages).where(isPage).get();
    if (!row) return null;
    for (const [step, timestamp, value] of points.parse(JSON.parse(row.points)))
      if (isWithin(step)) inRange.push({ step, timestamp, value });
  }
  return inRange;
}

/** Stores a whole history, in place of an older one. */
export async function storeHistory(
  db: D1Database,
  runId: string,
  key: string,
  history: readonly SeriesPoint[],
  readAt: number,
): Promise<void> {
  const orm = drizzle(db);
  const put = (page: number, text: string) =>
    orm
      .insert(historyPages)
      .values({ mlflowRunId: runId, key, page, points: text, readAt })
      .onConflictDoUpdate({
        target: [historyPages.mlflowRunId, historyPages.key, historyPages.page],
        set: { points: text, readAt },
      });
  const chunks = jsonChunks(history.map(({ step, timestamp, value }) => [step, timestamp, value]));
  for (let i = 0; i < chunks.length; i += PAGES_A_BATCH) {
    const [first, ...others] = chunks.slice(i, i + PAGES_A_BATCH).map((text, j) => put(i + j, text));
    if (first) await orm.batch([first, ...others]);
  }
  await orm.batch([
    put(HEADER_PAGE, JSON.stringify({ pages: chunks.length })),
    orm
      .delete(historyPages)
      .where(
        and(
          eq(historyPages.mlflowRunId, runId),
          eq(historyPages.key, key),
          gte(historyPages.page, chunks.length),
        ),
      ),
  ]);
}

/** Deletes cached pages that were read before a time, at most so many, the oldest first; how many went. */
export async function pruneHistory(db: D1Database, before: number, limit: number): Promise<number> {
  const result = await db.prepare(PRUNE).bind(before, limit).run();
  return result.meta.changes;
}

const PRUNE = `
  delete from history_pages where (mlflow_run_id, key, page) in (
    select mlflow_run_id, key, page from history_pages where read_at < ?1 order by read_at limit ?2)`;
