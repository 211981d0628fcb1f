import { and, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Folded, Unreadable } from "../../answers/parts.ts";
import { emptyCore, fieldsOf, withMarks } from "../../domain/core.ts";
import { fold, type State } from "../../domain/fold.ts";
import type { Summary } from "../../domain/summary.ts";
import { toWire } from "../../domain/values.ts";
import { loadUnfolded, summaryOf, tagOf } from "../journal/unfolded.ts";
import { metricSummaries, modelRuns, params, streams, tags, trials } from "../schema/index.ts";
import { readCore } from "../stream/core-column.ts";
import { isLasting, reasonOf } from "../stream/lasting.ts";

/** A reader folds no more than this; a backlog beyond it shows as undelivered events. */
const MAX_HELPINGS = 10;

type Stream = { id: number; kind: "trial" | "model_run" };

/** `ahead`: it holds more than the query rows do. `unreadable`: what is not in it, since it cannot be read. */
export type ReadState = { state: State; ahead: boolean; unreadable: Unreadable | null };

/**
 * The state of a stream with every event that was acknowledged, folded or not. Writes nothing, so that readers never
 * stand in the way of delivery. What cannot be read is left out and said.
 */
export async function readState(db: D1Database, stream: Stream): Promise<ReadState> {
  const { core, rows, marks: stored } = await storedState(db, stream);
  let state: State = { ...rows, core: emptyCore };
  let { foldedSeq } = stored;
  let part: Unreadable["part"] = "record";
  try {
    state = { ...rows, core: withMarks(readCore(core), stored) };
    part = "events";
    for (let i = 0; i < MAX_HELPINGS && foldedSeq < stored.lastSeq; i++) {
      const helping = await loadUnfolded(db, { ...stream, foldedSeq });
      if (!helping) break;
      state = fold(state, helping.events, helping.points).state;
      foldedSeq = helping.upto;
    }
  } catch (error) {
    if (!isLasting(error)) throw error;
    const reason = reasonOf(error);
    return { state, ahead: foldedSeq > stored.foldedSeq, unreadable: { part, reason } };
  }
  return { state, ahead: foldedSeq > stored.foldedSeq, unreadable: null };
}

const NO_MARKS = { foldedSeq: 0, lastSeq: 0, maxStep: null, heardSeq: 0 };

/** The query rows of a stream whole, and the watermarks that they are of: one batch, so one moment. */
async function storedState(db: D1Database, stream: Stream) {
  const orm = drizzle(db);
  const table = stream.kind === "trial" ? trials : modelRuns;
  const [[marks], [row], paramRows, tagRows, metricRows] = await orm.batch([
    orm
      .select({
        foldedSeq: streams.foldedSeq,
        lastSeq: streams.lastSeq,
        maxStep: streams.maxStep,
        heardSeq: streams.heardSeq,
      })
      .from(streams)
      .where(eq(streams.id, stream.id)),
    orm.select({ core: table.core }).from(table).where(eq(table.id, stream.id)),
    orm.select().from(params).where(eq(params.streamId, stream.id)),
    orm.select().from(tags).where(eq(tags.streamId, stream.id)),
    orm.select().from(metricSummaries).where(eq(metricSummaries.streamId, stream.id)),
  ]);
  const rows = {
    params: new Map(paramRows.map(({ key, value, seq }) => [key, { value, seq }])),
    tags: new Map(tagRows.map((row) => [row.key, tagOf(row)])),
    metrics: new Map(metricRows.map((summary) => [summary.key, summaryOf(summary)])),
  };
  return { rows, core: row?.core ?? null, marks: marks ?? NO_MARKS };
}

/** The parts of a state that trials and model runs show alike. */
export function stateView({ core, params, tags, metrics }: State): Folded {
  const sorted = <T>(map: ReadonlyMap<string, { value: T }>) =>
    Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { value }]) => [key, value]));
  return {
    parameters: sorted(params),
    tags: sorted(
      new Map([...tags].flatMap(([key, { value }]) => (value === null ? [] : [[key, { value }]]))),
    ),
    fields: Object.fromEntries(Object.entries(fieldsOf(core)).sort(([a], [b]) => (a < b ? -1 : 1))),
    metrics: summaryViews(metrics),
  };
}

/** Metric summaries as the API shows them, by key. */
export function summaryViews(metrics: ReadonlyMap<string, Summary>): Folded["metrics"] {
  return Object.fromEntries(
    [...metrics]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, summary]) => [
        key,
        {
          last: toWire(summary.last),
          last_step: summary.lastStep,
          min: summary.min === null ? null : toWire(summary.min),
          max: summary.max === null ? null : toWire(summary.max),
          count: summary.count,
        },
      ]),
  );
}

/** The stream of a trial, by its public id. */
export async function trialStream(db: D1Database, key: string) {
  const row = await drizzle(db)
    .select({
      id: streams.id,
      key: streams.key,
      modelRunId: streams.modelRunId,
      trialId: streams.trialId,
      mlflowRunId: streams.mlflowRunId,
      prunedAt: streams.prunedAt,
    })
    .from(streams)
    .where(and(eq(streams.key, key), eq(streams.kind, "trial")))
    .get();
  if (!row || row.trialId === null) return undefined;
  return { ...row, trialId: row.trialId };
}
