import { Hono } from "hono";
import { LEDGER_STATES } from "../domain/words.ts";
import { streamRow } from "../store/kept.ts";
import { ledgerPage, ledgerTotals } from "../store/ledger.ts";
import { iso } from "../store/read-common.ts";
import { trialStream } from "../store/read-state.ts";
import { refusalsOfTrial } from "../store/refusals.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { flushTraces } from "./note-refusal.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";

/** The last ones; `/api/ops/refusals` has all. */
const SHOWN_REFUSALS = 20;

const ledgerQuery = {
  ...paging,
  state: oneOf(LEDGER_STATES).optional(),
  event_id: someText.optional(),
};

/** `/api/trials/:id/ledger`: what became of each event of a trial, or of one. */
export const ledger = new Hono<AppEnv>().get("/:id/ledger", requireScope("read"), async (c) => {
  const { limit, cursor, ...filter } = readQuery(c, ledgerQuery);
  const { db } = c.var.relay;
  await flushTraces(c.var.relay);
  const id = c.req.param("id");
  const stream = found(await trialStream(db, id), `trial ${id}`);
  const after = Number(readCursor(c, cursor)?.id ?? 0);
  const [rows, totals, row, refused] = await Promise.all([
    ledgerPage(db, stream.id, filter, after, limit),
    ledgerTotals(db, stream.id),
    streamRow(db, stream.id),
    refusalsOfTrial(db, stream.modelRunId, stream.trialId, SHOWN_REFUSALS),
  ]);
  const prunedAt = iso(row?.prunedAt ?? null);
  if (filter.event_id !== undefined) {
    const why = prunedAt === null ? "" : `, whose journal was pruned at ${prunedAt}`;
    found(rows[0], `event ${filter.event_id} in trial ${id}${why}`);
  }
  const page = toPage(c, rows, limit);
  return c.json({
    id,
    model_run_id: stream.modelRunId,
    trial_id: stream.trialId,
    pruned_at: prunedAt,
    totals,
    events: page.rows,
    refusals: refused,
    next_cursor: page.next_cursor,
  });
});
