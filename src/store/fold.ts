import { type Core, endOf, type Folded, fieldOf } from "../domain/fold.ts";
import type { Note } from "../domain/notes.ts";
import { lostContactAt, statusOf } from "../domain/status.ts";
import type { Json } from "../domain/types.ts";
import { toWire } from "../domain/values.ts";
import type { ModelRunState } from "../domain/words.ts";
import { overRows } from "./sql.ts";
import type { Unfolded } from "./unfolded.ts";

/** Each statement applies only while the watermark is where this fold began: of two folds at once one wins. */
const UNMOVED = "exists (select 1 from streams where id = ?2 and folded_seq = ?3)";

/**
 * Writes a fold's result and moves the watermark, all or nothing.
 * @returns false when another fold was there first; then nothing was written.
 */
export async function storeFold(
  db: D1Database,
  stream: { id: number; kind: "trial" | "model_run"; foldedSeq: number },
  helping: Unfolded,
  after: Folded,
  now: number,
): Promise<boolean> {
  const { before, upto } = helping;
  const { state, conflicts, notes } = after;
  const changed = <T>(a: Map<string, T>, b: Map<string, T>) =>
    [...b].filter(([key, value]) => a.get(key) !== value);
  const rows = (query: string, list: readonly unknown[]) =>
    overRows(db, query, list, stream.id, stream.foldedSeq);
  const results = await db.batch([
    stream.kind === "trial"
      ? trialRow(db, stream, state.core, now)
      : modelRunRow(db, stream, state.core, now),
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
      ]),
    ),
    ...rows(
      CONFLICTS,
      conflicts.map((c) => [c.key, c.kept, c.refused, c.eventId, now]),
    ),
    ...rows(NOTES, notesBySeq(notes)),
    ...(stream.kind === "model_run" && isElsewhere(before.core, state.core)
      ? [db.prepare(MISPLACED).bind(now, stream.id, stream.foldedSeq)]
      : []),
    db
      .prepare("update streams set folded_seq = ?1 where id = ?2 and folded_seq = ?3")
      .bind(upto, stream.id, stream.foldedSeq),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

/** Of one event so many are kept: the rest is of the same kind. */
const MAX_NOTES = 100;

function notesBySeq(notes: Folded["notes"]): [seq: number, warnings: Note["warning"][]][] {
  return [...Map.groupBy(notes, (note) => note.seq)].map(([seq, own]) => [
    seq,
    own.slice(0, MAX_NOTES).map((note) => note.warning),
  ]);
}

function trialRow(db: D1Database, stream: { id: number; foldedSeq: number }, core: Core, now: number) {
  const field = (name: string) => column(fieldOf(core, name));
  return db
    .prepare(
      `update trials set status = ?4, announced = ?5, spectral_norm = ?6, run_name = ?7, experiment_name = ?8,
         requested_run_id = ?9, duration_ms = ?10, rank = ?11, started_at = ?12, ended_at = ?13, updated_at = ?14, lost_contact_at = ?15, core = ?1
       where id = ?2 and ${UNMOVED}`,
    )
    .bind(
      JSON.stringify(core),
      stream.id,
      stream.foldedSeq,
      statusOf(core.lifecycle),
      core.announced ? 1 : 0,
      field("spectral_norm"),
      field("run_name"),
      field("experiment_name"),
      field("mlflow_run_id"),
      field("duration_ms"),
      field("rank"),
      core.startedAt,
      endOf(core),
      now,
      lostContactAt(core.lifecycle),
    );
}

function modelRunRow(db: D1Database, stream: { id: number; foldedSeq: number }, core: Core, now: number) {
  const field = (name: string) => column(fieldOf(core, name));
  return db
    .prepare(
      `update model_runs set state = ?4, announced = ?5, run_name = ?6, experiment_name = ?7, requested_trials = ?8,
         completed_trials = ?9, search_space_version = ?10, max_params = ?11, best_metric = ?12, best_trial_id = ?13,
         started_at = ?14, ended_at = ?15, updated_at = ?16, core = ?1
       where id = ?2 and ${UNMOVED}`,
    )
    .bind(
      JSON.stringify(core),
      stream.id,
      stream.foldedSeq,
      modelRunState(core),
      core.announced ? 1 : 0,
      field("run_name"),
      field("experiment_name"),
      field("requested_trials"),
      field("completed_trials"),
      field("search_space_version"),
      field("max_params"),
      field("best_metric"),
      field("best_trial_id"),
      core.startedAt,
      endOf(core),
      now,
    );
}

/** A model run is never skipped; one that was not announced is initialized only. */
export function modelRunState(core: Core): ModelRunState {
  const status = statusOf(core.lifecycle);
  if (status === "running") return core.announced ? "running" : "initialized";
  return status === "skipped" ? "cancelled" : status;
}

function column(value: Json): string | number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" ? null : value;
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

const METRICS = `
  insert into metric_summaries (stream_id, key, last, last_step, last_timestamp, min, max, count)
  select ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
  from json_each(?1) where ${UNMOVED}
  on conflict do update set last = excluded.last, last_step = excluded.last_step,
    last_timestamp = excluded.last_timestamp, min = excluded.min, max = excluded.max, count = excluded.count`;

/** What the door said of the event comes first. Both lists hold something, so that they are joined as text. */
const NOTES = `
  update events set warnings = iif(warnings is null, j.notes, substr(warnings, 1, length(warnings) - 1) || ',' || substr(j.notes, 2))
  from (select value ->> 0 as seq, value -> 1 as notes from json_each(?1)) j
  where events.seq = j.seq and events.stream_id = ?2 and ${UNMOVED}`;

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
