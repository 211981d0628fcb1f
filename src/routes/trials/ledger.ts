import { iso } from "../../store/listing/common.ts";
import { refusalsOfTrial } from "../../store/ops/refusals.ts";
import { streamRow } from "../../store/readback/expected.ts";
import { ledgerPage, ledgerTotals } from "../../store/views/ledger.ts";
import { trialStream } from "../../store/views/state.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { flushTraces } from "../door/note-refusal.ts";
import { found } from "../door/query.ts";
import type { Asked, Replied } from "../handler.ts";
import type { trials } from "./contract.ts";

/** The last ones; `/api/ops/refusals` has all. */
const SHOWN_REFUSALS = 20;

type Ledger = (typeof trials)["contracts"]["getLedger"];

/** What became of each event of a trial, or of one. */
export async function readLedger({
  c,
  relay,
  path: { id },
  query: { limit, cursor, ...filter },
}: Asked<Ledger>): Promise<Replied<Ledger["answers"]>> {
  const { db } = relay;
  await flushTraces(relay);
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
  return {
    id,
    model_run_id: stream.modelRunId,
    trial_id: stream.trialId,
    pruned_at: prunedAt,
    totals,
    events: page.rows,
    refusals: refused,
    next_cursor: page.next_cursor,
  };
}
