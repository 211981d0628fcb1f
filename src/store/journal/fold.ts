import { drizzle } from "drizzle-orm/d1";
import { type Core, fieldOf, marksOf } from "../../domain/core.ts";
import type { Folded } from "../../domain/fold.ts";
import type { Note } from "../../domain/notes.ts";
import { toWire } from "../../domain/values.ts";
import { Bound, boundRows } from "../sql.ts";
import { gatewayRow, modelRunQueries, trialQueries, UNMOVED } from "./folded-rows.ts";
import { completeWith, joinChunks } from "./joined-chunks.ts";
import type { Unfolded } from "./unfolded.ts";

type Foldable = { id: number; kind: "trial" | "model_run"; foldedSeq: number };

/**
 * Writes a fold's result and moves the watermark, all or nothing: of two folds at once one wins.
 * @returns false when another fold was there first; then nothing was written.
 */
export async function storeFold(
  db: D1Database,
  stream: Foldable,
  helping: Unfolded,
  after: Folded,
  now: number,
): Promise<boolean> {
  const orm = drizzle(db);
  const { maxStep, heardSeq } = marksOf(after.state.core);
  const moved = new Bound(db, MOVE, helping.upto, stream.id, stream.foldedSeq, maxStep, heardSeq);
  const results = await orm.batch([...foldQueries(db, stream, helping, after, now, stream.foldedSeq), moved]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

/** Up to where a stream is folded. */
export async function watermarkOf(db: D1Database, streamId: number): Promise<number> {
  const query = "select folded_seq from streams where id = ?1";
  return (await db.prepare(query).bind(streamId).first<number>("folded_seq")) ?? 0;
}

const MOVE =
  "update streams set folded_seq = ?1, max_step = ?4, heard_seq = ?5 where id = ?2 and folded_seq = ?3";

/**
 * A fold's result as queries for one batch.
 * @param unmoved the watermark where it began, or the token of a lease that was taken for it in the same batch
 */
export function foldQueries(
  db: D1Database,
  { id, kind }: Omit<Foldable, "foldedSeq">,
  helping: Unfolded,
  { state, conflicts, notes, wentOnAt }: Folded,
  now: number,
  unmoved: number | string,
): [Bound, ...Bound[]] {
  const changed = <T>(a: Map<string, T>, b: Map<string, T>) =>
    [...b].filter(([key, value]) => a.get(key) !== value);
  const rows = (query: string, list: readonly unknown[]) => boundRows(db, query, list, id, unmoved);
  const { before } = helping;
  const { core } = state;
  return [
    ...(kind === "trial"
      ? trialQueries(db, id, before.core, core, now, unmoved)
      : modelRunQueries(db, id, core, now, unmoved)),
    ...(core.run === null ? [] : [gatewayRow(db, id, core, core.run, unmoved)]),
    ...rows(
      PARAMS,
      changed(before.params, state.params).map(([key, p]) => [key, p.value, p.seq]),
    ),
    ...rows(
      TAGS,
      changed(before.tags, state.tags).map(([key, t]) => [
        key,
        t.value ?? "",
        t.at,
        t.id,
        t.seq,
        t.value === null ? t.at : null,
      ]),
    ),
    ...(wentOnAt === null ? [] : [new Bound(db, WENT_ON, wentOnAt, id, unmoved)]),
    ...rows(
      METRICS,
      changed(before.metrics, state.metrics).map(([key, m]) => [
        key,
        toWire(m.last),
        m.lastStep,
        m.lastTimestamp,
        m.min === null ? null : toWire(m.min),
        m.max === null ? null : toWire(m.max),
        m.count,
        before.metrics.get(key)?.count ?? 0,
      ]),
    ),
    ...rows(
      CONFLICTS,
      conflicts.map((c) => [c.key, c.kept, c.refused, c.eventId, now]),
    ),
    ...rows(NOTES, notesBySeq(notes)),
    ...joinChunks(db, id, completeWith(helping), UNMOVED, unmoved),
    ...(kind === "model_run" && isElsewhere(before.core, core)
      ? [new Bound(db, MISPLACED, now, id, unmoved)]
      : []),
  ];
}

/** Of one event so many are kept: the rest is of the same kind. */
const MAX_NOTES = 100;

function notesBySeq(notes: Folded["notes"]): [seq: number, warnings: Note["warning"][]][] {
  return [...Map.groupBy(notes, (note) => note.seq)].map(([seq, own]) => [
    seq,
    own.slice(0, MAX_NOTES).map((note) => note.warning),
  ]);
}

const PARAMS = `
  insert into params (stream_id, key, value, seq)
  select ?2, value ->> 0, value ->> 1, value ->> 2 from json_each(?1) where ${UNMOVED}
  on conflict do update set value = excluded.value, seq = excluded.seq`;

const TAGS = `
  insert into tags (stream_id, key, value, at, event_id, seq, removed_at)
  select ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
  from json_each(?1) where ${UNMOVED}
  on conflict do update set value = excluded.value, at = excluded.at, event_id = excluded.event_id, seq = excluded.seq,
    removed_at = excluded.removed_at`;

/** Also of the metrics that these events do not touch. Before theirs: the trial may have ended again since. */
const WENT_ON = `update metric_summaries set last_step = ?1 where stream_id = ?2 and last_step is null and ${UNMOVED}`;

/** What is sent again of dead letters may have been taken off a count since it was read; done twice, it adds nothing. */
const METRICS = `
  insert into metric_summaries (stream_id, key, last, last_step, last_timestamp, min, max, count)
  select ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
    iif(m.count > value ->> 7, m.count, coalesce(m.count, 0) + value ->> 6 - value ->> 7)
  from json_each(?1) left join metric_summaries m on m.stream_id = ?2 and m.key = value ->> 0
  where ${UNMOVED}
  on conflict do update set last = excluded.last, last_step = excluded.last_step,
    last_timestamp = excluded.last_timestamp, min = excluded.min, max = excluded.max, count = excluded.count`;

/** What the door said of the event comes first, and nothing is noted twice. Both lists hold something, so that they are joined as text. */
const NOTES = `
  update events set warnings = iif(warnings is null, j.notes, substr(warnings, 1, length(warnings) - 1) || ',' || substr(j.notes, 2))
  from (select value ->> 0 as seq, value -> 1 as notes from json_each(?1)) j
  where events.seq = j.seq and events.stream_id = ?2 and ${UNMOVED}
    and instr(coalesce(warnings, ''), substr(j.notes, 2, length(j.notes) - 2)) = 0`;

/** Whether a model run now names another experiment than before. */
function isElsewhere(before: Core, after: Core): boolean {
  const named = fieldOf(after, "experiment_name");
  return named !== null && named !== fieldOf(before, "experiment_name");
}

/** So many at once: a statement has its limits, and the others are found when they are delivered again. */
const MAX_MISPLACED = 10_000;

/** The trials that had their runs made elsewhere before their model run named its experiment: a run cannot move. */
const MISPLACED = `
  insert into conflicts (stream_id, kind, field, kept, refused, source, created_at)
  select s.id, 'experiment', 'experiment_name', s.experiment_name, m.experiment_name, 'journal', ?1
  from model_runs m join trials t on t.model_run_id = m.model_run_id join streams s on s.id = t.id
  where m.id = ?2 and s.mlflow_run_id is not null and s.adopted = 0 and t.experiment_name is null
    and s.experiment_name is not m.experiment_name and ${UNMOVED}
  limit ${MAX_MISPLACED}
  on conflict do nothing`;

const CONFLICTS = `
  insert into conflicts (stream_id, kind, field, kept, refused, source, event_id, created_at)
  select ?2, 'param', value ->> 0, value ->> 1, value ->> 2, 'journal', value ->> 3, value ->> 4
  from json_each(?1) where ${UNMOVED}
  on conflict do nothing`;
