import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { deadLetters, events } from "../schema/index.ts";

/** An item that MLflow refused, and what became of it. A point has a step and a time, a parameter or tag has not. */
export type ExpectedLetter = z.output<typeof item> & { id: number; kind: string; isReplayed: boolean };
/** Letters that went on their way again. An edited item stands in the journal in place of the refused one. */
export type ExpectedReplay = { seq: number; letters: number[] };

const item = z.object({
  key: z.string().default(""),
  value: z.union([z.number(), z.string()]).default(""),
  timestamp: z.number().default(0),
  step: z.number().default(0),
});

const ids = z.array(z.number());

/** The dead letters of a stream, and how they were sent again. */
export async function expectedLetters(
  db: D1Database,
  streamId: number,
): Promise<{ letters: ExpectedLetter[]; replays: ExpectedReplay[] }> {
  const rows = await drizzle(db)
    .select({
      id: deadLetters.id,
      kind: deadLetters.kind,
      item: deadLetters.item,
      isReplayed: sql<boolean>`${deadLetters.state} = 'replayed'`.mapWith(Boolean),
    })
    .from(deadLetters)
    .where(eq(deadLetters.streamId, streamId));
  const letters = rows.map((row) => ({ ...row, ...item.parse(JSON.parse(row.item)) }));
  return {
    letters,
    replays: letters.some(({ isReplayed }) => isReplayed) ? await replaysOf(db, streamId) : [],
  };
}

async function replaysOf(db: D1Database, streamId: number): Promise<ExpectedReplay[]> {
  const rows = await drizzle(db)
    .select({ seq: events.seq, letters: sql<string>`${events.facts} -> '$.about.dead_letters'` })
    .from(events)
    .where(and(eq(events.streamId, streamId), eq(events.type, "relay.replay")))
    .orderBy(events.seq);
  return rows.map(({ seq, letters }) => ({ seq, letters: ids.parse(JSON.parse(letters)) }));
}
