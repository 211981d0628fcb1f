import { Hono } from "hono";
import * as z from "zod";
import { map } from "../domain/fields.ts";
import { checkItem } from "../domain/letter-item.ts";
import { invalid } from "../domain/problems.ts";
import { LETTER_KINDS, LETTER_STATES } from "../domain/words.ts";
import { HttpFailure } from "../errors.ts";
import type { Deps } from "../relay/deps.ts";
import { isItem, replayEdited, replayLetters } from "../relay/replay.ts";
import {
  type Letter,
  letterView,
  listLetters,
  matchingLetters,
  readLetter,
  settleLetters,
} from "../store/dead-letters.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { readJsonBody } from "./json-body.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";

/** What one request settles at most; `more` in its answer says that there are others. */
const MAX_SETTLED = 500;
const SAMPLE = 10;

const filter = {
  kind: oneOf(LETTER_KINDS).optional(),
  model_run_id: someText.optional(),
  trial_id: someText.optional(),
  key: someText.optional(),
  reason: someText.optional(),
};
const listQuery = { ...paging, ...filter, state: oneOf(LETTER_STATES).default("open") };
const dryRun = z.boolean("must be true or false").default(false);
const bulkBody = { filter: z.strictObject(filter, "must be an object of filters"), dry_run: dryRun };

/** `/api/ops/dead-letters`: what MLflow refused for good, to be looked at, sent again or dropped. */
export const deadLetters = new Hono<AppEnv>()
  .use(requireScope("admin"))
  .get("/", async (c) => {
    const { limit, cursor, ...filter } = readQuery(c, listQuery);
    const rows = await listLetters(c.var.relay.db, filter, readCursor(c, cursor), limit);
    const page = toPage(c, rows, limit);
    return c.json({ dead_letters: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", async (c) => {
    readQuery(c, {});
    return c.json((await letterOf(c.var.relay.db, c.req.param("id"))).view);
  })
  .post("/replay", async (c) => {
    const asked = await readJsonBody(c, bulkBody);
    return c.json(await settleMatching(c.var.relay, "replay", asked));
  })
  .post("/drop", async (c) => {
    const asked = await readJsonBody(c, bulkBody);
    return c.json(await settleMatching(c.var.relay, "drop", asked));
  })
  .post("/:id/replay", async (c) => {
    const { relay } = c.var;
    const id = c.req.param("id");
    const { letter } = await letterOf(relay.db, id);
    const { item } = await readJsonBody(c, { item: map.optional() });
    const settled = item
      ? await replayEdited(relay, ...edited(letter, item))
      : await replayLetters(relay, [letter]);
    if (settled.length === 0) throw refusedAs(letter, "replayed");
    relay.log.info("a dead letter was replayed by an operator", { id, edited: item !== undefined });
    return c.json((await letterOf(relay.db, id)).view);
  })
  .post("/:id/drop", async (c) => {
    const { db, now, log } = c.var.relay;
    const id = c.req.param("id");
    const { letter } = await letterOf(db, id);
    await readJsonBody(c, {});
    const settled = await settleLetters(db, [letter.id], "dropped", now());
    if (settled.length === 0) throw refusedAs(letter, "dropped");
    log.info("a dead letter was dropped by an operator", { id });
    return c.json((await letterOf(db, id)).view);
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

function refusedAs(letter: Letter, wanted: string): HttpFailure {
  const detail = `Dead letter ${letter.id} is ${letter.state} and cannot be ${wanted}.`;
  return new HttpFailure({ kind: "conflict", detail });
}

type Asked = z.output<z.ZodObject<typeof bulkBody>>;

/** Replays or drops the oldest open letters that match, or only tells which. */
async function settleMatching(relay: Deps, action: "replay" | "drop", { filter, dry_run }: Asked) {
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
