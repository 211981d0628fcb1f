import { drizzle } from "drizzle-orm/d1";
import { type Core, endOf, fieldOf, isMarksOnly, marksOf } from "../../domain/core.ts";
import type { Folded } from "../../domain/fold.ts";
import type { Note } from "../../domain/notes.ts";
import type { RunRegister } from "../../domain/run-register.ts";
import { lostContactAt, statusOf } from "../../domain/status.ts";
import type { Json } from "../../domain/types.ts";
import { toWire } from "../../domain/values.ts";
import type { ModelRunState } from "../../domain/words.ts";
import { Bound, boundRows } from "../sql.ts";
import { completeWith, joinChunks } from "./joined-chunks.ts";
import type { Unfolded } from "./unfolded.ts";

type Foldable = { id: number; kind: "trial" | "model_run"; foldedSeq: number };

/** Each statement applies only where the fold is still to be written: by the watermark where it began, or by the lease. */
const UNMOVED = "exists (select 1 from streams where id = ?2 and ?3 in (folded_seq, lease_token))";

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
  { state, conflicts, notes }: Folded,
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

/** A row of its own tells what it holds only where that changes: the stream's own, which is written anyway, has the marks. */
function trialQueries(
  db: D1Database,
  id: number,
  before: Core,
  core: Core,
  now: number,
  unmoved: number | string,
): [Bound, ...Bound[]] {
  if (isMarksOnly(before, core)) return [new Bound(db, WARM_TRIAL, now, id, unmoved)];
  return [
    trialRow(db, id, core, now, unmoved),
    // Apart from the rest, so that the indexes it is in are written only where it changes.
    new Bound(db, TRIAL_STATUS, statusOf(core.lifecycle), id, unmoved),
  ];
}

const WARM_TRIAL = `update trials set updated_at = ?1 where id = ?2 and warm = 0 and ${UNMOVED}`;

function modelRunQueries(
  db: D1Database,
  id: number,
  core: Core,
  now: number,
  unmoved: number | string,
): [Bound, Bound] {
  return [
    modelRunRow(db, id, core, now, unmoved),
    new Bound(db, MODEL_RUN_STATE, modelRunState(core), id, unmoved),
  ];
}

function trialRow(db: D1Database, id: number, core: Core, now: number, unmoved: number | string): Bound {
  const field = (name: string) => column(fieldOf(core, name));
  return new Bound(
    db,
    `update trials set announced = ?4, spectral_norm = ?5, run_name = ?6, experiment_name = ?7,
       requested_run_id = ?8, duration_ms = ?9, rank = ?10, started_at = ?11, ended_at = ?12, updated_at = ?13, lost_contact_at = ?14, core = ?1
     where id = ?2 and ${UNMOVED}`,
    JSON.stringify(core),
    id,
    unmoved,
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

function gatewayRow(
  db: D1Database,
  id: number,
  core: Core,
  { status, startTime, endTime }: RunRegister,
  unmoved: number | string,
): Bound {
  const [runName, user] = [column(fieldOf(core, "run_name")), column(fieldOf(core, "user"))];
  return new Bound(db, GATEWAY_RUN, runName, id, unmoved, user, status, startTime, endTime);
}

const GATEWAY_RUN = `
  update gateway_runs set run_name = ?1, user_id = ?4, status = ?5, start_time = ?6, end_time = ?7
  where stream_id = ?2 and (run_name, user_id, status, start_time, end_time) is not (?1, ?4, ?5, ?6, ?7) and ${UNMOVED}`;

const TRIAL_STATUS = `update trials set status = ?1 where id = ?2 and status <> ?1 and ${UNMOVED}`;

function modelRunRow(db: D1Database, id: number, core: Core, now: number, unmoved: number | string): Bound {
  const field = (name: string) => column(fieldOf(core, name));
  return new Bound(
    db,
    `update model_runs set announced = ?4, run_name = ?5, experiment_name = ?6, requested_trials = ?7,
       completed_trials = ?8, search_space_version = ?9, max_params = ?10, best_metric = ?11, best_trial_id = ?12,
       started_at = ?13, ended_at = ?14, updated_at = ?15, core = ?1
     where id = ?2 and ${UNMOVED}`,
    JSON.stringify(core),
    id,
    unmoved,
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

const MODEL_RUN_STATE = `update model_runs set state = ?1 where id = ?2 and state <> ?1 and ${UNMOVED}`;

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
