import { checkItem } from "../../domain/letter-item.ts";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import type { Deps } from "../../relay/deps.ts";
import { isItem, replayEdited, replayLetters } from "../../relay/repair/dead-letters.ts";
import {
  type Letter,
  letterView,
  listLetters,
  matchingLetters,
  readLetter,
  settleLetters,
} from "../../store/delivery/dead-letters.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { type Bulk, deadLetters, type SettledLetters } from "./contract.ts";

/** What one request settles at most; `more` in its answer says that there are others. */
const MAX_SETTLED = 500;
const SAMPLE = 10;

export const deadLetterRoutes = routes(deadLetters, {
  listDeadLetters: async ({ c, relay, query: { limit, cursor, ...filter } }) => {
    const page = toPage(c, await listLetters(relay.db, filter, readCursor(c, cursor), limit), limit);
    return { dead_letters: page.rows, next_cursor: page.next_cursor };
  },
  getDeadLetter: async ({ relay, path: { id } }) => (await letterOf(relay.db, id)).view,
  replayDeadLetters: async ({ relay, readBody }) => settleMatching(relay, "replay", await readBody()),
  dropDeadLetters: async ({ relay, readBody }) => settleMatching(relay, "drop", await readBody()),
  replayDeadLetter: async ({ relay, path: { id }, readBody }) => {
    const { letter } = await letterOf(relay.db, id);
    const { item } = await readBody();
    const settled = item
      ? await replayEdited(relay, ...edited(letter, item))
      : await replayLetters(relay, [letter]);
    if (settled.length === 0) throw refusedAs(letter, "replayed");
    relay.log.info("a dead letter was replayed by an operator", { id, edited: item !== undefined });
    return (await letterOf(relay.db, id)).view;
  },
  dropDeadLetter: async ({ relay: { db, now, log }, path: { id }, readBody }) => {
    const { letter } = await letterOf(db, id);
    await readBody();
    const settled = await settleLetters(db, [letter.id], "dropped", now());
    if (settled.length === 0) throw refusedAs(letter, "dropped");
    log.info("a dead letter was dropped by an operator", { id });
    return (await letterOf(db, id)).view;
  },
});

async function letterOf(db: D1Database, id: string) {
  return found(/^\d{1,15}$/.test(id) ? await readLetter(db, Number(id)) : null, `dead letter ${id}`);
}

/** The arguments of an edited replay, checked as a trainer's item is. */
function edited(letter: Letter, item: Record<string, unknown>) {
  if (!isItem(letter))
    throw new HttpFailure({
      kind: "invalid_item",
      problems: [invalid(["item"], `cannot be given for a letter of the kind ${letter.kind}`, item)],
    });
  const checked = checkItem(letter.kind, item);
  if (!checked.ok) throw new HttpFailure({ kind: "invalid_item", problems: checked.problems });
  return [letter, checked.item] as const;
}

function refusedAs(letter: Letter, done: string): HttpFailure {
  const detail = `Dead letter ${letter.id} is ${letter.state} and cannot be ${done}.`;
  return new HttpFailure({ kind: "conflict", detail });
}

/** Replays or drops the oldest open letters that match, or only tells which. */
async function settleMatching(
  relay: Deps,
  action: "replay" | "drop",
  { filter, dry_run }: Bulk,
): Promise<SettledLetters> {
  const matching = await matchingLetters(relay.db, { ...filter, state: "open" }, MAX_SETTLED);
  const { letters, total } = matching;
  const settled = dry_run ? letters.map(({ id }) => id) : await settle(relay, action, letters);
  if (!dry_run)
    relay.log.info("dead letters were settled by an operator", { action, letters: settled.length });
  return {
    action,
    dry_run,
    matching: total,
    count: settled.length,
    more: total > letters.length,
    sample: letters.slice(0, SAMPLE).map(letterView),
  };
}

function settle(relay: Deps, action: "replay" | "drop", letters: readonly Letter[]): Promise<number[]> {
  if (action === "replay") return replayLetters(relay, letters);
  const ids = letters.map(({ id }) => id);
  return settleLetters(relay.db, ids, "dropped", relay.now());
}
