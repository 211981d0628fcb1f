import type { JournalEvent } from "../../domain/types.ts";
import type { Budget } from "../database/budget.ts";
import { type EventOutcome, type Journalled, journal } from "./journal.ts";
import { permanentRefusal, type Refusal } from "./refusal.ts";

/**
 * With fewer statements left what is not journalled yet is left for another time: what is refused for good is to be
 * buried as well. One bad event of 5,000 takes 26 tries.
 */
const TRY_STATEMENTS = 40;

/** What became of an event where the database itself may have refused it for good. */
export type JournalOutcome = EventOutcome | ({ kind: "refused" } & Refusal);

export type JournalledEach = Omit<Journalled, "outcomes"> & {
  /** One an event, in the order given; null for those that the budget did not suffice for, the last ones. */
  outcomes: (JournalOutcome | null)[];
};

/**
 * Journals events, and where the database refuses them for good, finds out which: the others are journalled without
 * it. Order is kept.
 * @param also goes with each of them, and may be repeated
 * @throws what D1 throws when it may take them another time; what went before is journalled, and a repeat then
 */
export async function journalEach(
  { db, budget }: { db: D1Database; budget: Pick<Budget, "has"> },
  events: readonly JournalEvent[],
  now: number,
  also: readonly D1PreparedStatement[] = [],
): Promise<JournalledEach> {
  const done: JournalledEach = { outcomes: [], pokes: [], databaseBytes: 0 };
  const waiting = [events];
  for (let tries = 0; tries === 0 || budget.has(TRY_STATEMENTS); tries++) {
    const part = waiting.shift();
    if (!part) break;
    try {
      const { outcomes, pokes, databaseBytes } = await journal(db, part, now, also);
      done.outcomes.push(...outcomes);
      done.pokes.push(...pokes);
      done.databaseBytes = databaseBytes;
    } catch (error) {
      const refusal = permanentRefusal(error);
      if (!refusal) throw error;
      const half = Math.ceil(part.length / 2);
      if (part.length > 1) waiting.unshift(part.slice(0, half), part.slice(half));
      else done.outcomes.push({ kind: "refused", ...refusal });
    }
  }
  for (const _ of waiting.flat()) done.outcomes.push(null);
  return done;
}
