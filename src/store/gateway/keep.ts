import type { JournalEvent } from "../../domain/types.ts";
import type { LifecycleStage } from "../../domain/words.ts";
import { PARENT_TAG } from "../../mlflow/tags.ts";
import { IS_GONE, UNBLOCK_AFRESH } from "../delivery/blocked.ts";
import * as journal from "../journal/sql.ts";
import type { Poke } from "../journal/write.ts";
import { overRows } from "../sql.ts";
import { POKE_TRUST_MS } from "../stream/leases.ts";
import { isBuried } from "./ghosts.ts";
import { KEEP_INPUTS, type SaidInput } from "./inputs.ts";
import { keepingModels, type OfModels } from "./model-ties.ts";

/** What MLflow's clients write, kept in the journal together with the decision whether it may be. */

/** A run that is to be made. Times in epoch milliseconds. */
export type NewRun = {
  /** The id that its clients know it by. */
  runId: string;
  experimentId: string;
  artifactUri: string;
  createdAt: number;
  lifecycle: LifecycleStage;
  /** Of the request, to tell a twin; null where the run was taken over. */
  createHash: string | null;
  touchedAt: number | null;
  /** What MLflow has already, of a run that it had first. */
  taken: { tags: Readonly<Record<string, string>>; params: Readonly<Record<string, string>> } | null;
};

export type Kept = { isKept: boolean; pokes: Poke[]; databaseBytes: number };

/**
 * Writes a request's events down, all of one stream, in one transaction with what may forbid it: a deleted run, and a
 * parameter that has another text. All or nothing.
 * @param how.create the run, where it is made by this
 * @param how.lifecycle what the run's is by this, unless it was there before it was made; then a deleted run is written to
 *   as well
 * @param how.inputs datasets that the run was given
 * @param how.models logged models that it has to do with
 */
export async function keep(
  db: D1Database,
  events: readonly [JournalEvent, ...JournalEvent[]],
  now: number,
  how: {
    create?: NewRun;
    lifecycle?: LifecycleStage;
    inputs?: readonly SaidInput[];
    models?: OfModels;
  } = {},
): Promise<Kept> {
  const [{ stream, id }] = events;
  const mark = now + POKE_TRUST_MS;
  const said = Object.fromEntries(events.flatMap(({ facts }) => Object.entries(facts?.params ?? {})));
  const insert = how.lifecycle === undefined ? INSERT_IF_ACTIVE : journal.INSERT_EVENTS;
  const guard = how.lifecycle === undefined ? halves(said) : [];
  const isMade = how.create !== undefined;
  const isUrgent = Number(events.some(({ facts }) => facts?.announces === true));
  const keys = JSON.stringify([stream.key]);
  const isIn = [stream.key, id];
  const parents = events.flatMap(({ facts }) => facts?.tags?.[PARENT_TAG] ?? []);
  const touchParents = db.prepare(TOUCH_PARENTS).bind(JSON.stringify(parents), now);
  const results = await db.batch<Record<string, unknown>>([
    ...(how.create ? making(db, how.create, stream, now) : []),
    ...overRows(db, insert, events.map(journal.eventRow), ...guard),
    db.prepare(journal.STAY_AHEAD.byKey).bind(keys),
    ...overRows(db, journal.INSERT_POINTS, events.flatMap(journal.pointRows)),
    ...overRows(
      db,
      KEEP_INPUTS,
      (how.inputs ?? []).map(({ digest, body, isTheirs }) => [digest, body, Number(isTheirs)]),
      ...isIn,
    ),
    ...(how.models ? keepingModels(db, how.models, { key: stream.key, eventId: id, now }) : []),
    db.prepare(TOUCH).bind(...isIn, now, isMade ? null : (how.lifecycle ?? null), Number(!isMade)),
    ...(how.lifecycle === "active" ? [db.prepare(GO_ON).bind(stream.key)] : []),
    ...(parents.length > 0 ? [touchParents] : []),
    db.prepare(MARK_KEPT).bind(JSON.stringify([[stream.key, isUrgent, 1]]), now, mark, id),
  ]);
  const isKept = results.some(({ results: rows }) => rows.some((row) => row.event_id === id));
  const dirty = results.at(-1)?.results ?? [];
  const touched = parents.length > 0 ? (results.at(-2)?.results ?? []) : [];
  return {
    isKept,
    pokes: [
      ...dirty
        .filter((row) => isKept && row.poked_until === mark)
        .map((row) => ({ streamId: Number(row.id), urgent: isUrgent === 1 })),
      ...touched.map(({ id: parent }) => ({ streamId: Number(parent), urgent: false })),
    ],
    databaseBytes: results.at(-1)?.meta.size_after ?? 0,
  };
}

/** What came of a request's events whose keeping went unanswered: null where they are not there. */
export async function keptUnheard(
  db: D1Database,
  [{ stream, id }]: readonly [JournalEvent, ...JournalEvent[]],
): Promise<Kept | null> {
  const { results, meta } = await db.prepare(KEPT).bind(stream.key, id).all<{ id: number }>();
  if (results.length === 0) return null;
  const pokes = results.map((row) => ({ streamId: row.id, urgent: true }));
  return { isKept: true, pokes, databaseBytes: meta.size_after };
}

const KEPT = `
  select s.id from streams s join events e on e.stream_id = s.id and e.event_id = ?2 where s.key = ?1`;

/** The run and its stream; a new one only where its experiment is there and not deleted. */
function making(
  db: D1Database,
  { runId, experimentId, artifactUri, createdAt, lifecycle, createHash, touchedAt, taken }: NewRun,
  { key, kind, modelRunId, trialId }: JournalEvent["stream"],
  now: number,
): D1PreparedStatement[] {
  const keys = JSON.stringify([key]);
  return [
    db
      .prepare(MAKE_STREAM)
      .bind(JSON.stringify([[key, kind, modelRunId, trialId]]), now, experimentId, Number(taken !== null)),
    ...(kind === "trial" ? [db.prepare(journal.INSERT_TRIALS).bind(keys, now)] : []),
    db
      .prepare(MAKE_RUN)
      .bind(key, experimentId, artifactUri, createdAt, lifecycle, createHash, touchedAt, runId),
    ...(taken === null ? [] : overRows(db, AGREE, agreedRows(taken), key)),
  ];
}

function agreedRows({ tags, params }: NonNullable<NewRun["taken"]>): string[][] {
  return [
    ...Object.entries(tags).map(([key, value]) => ["tag", key, value]),
    ...Object.entries(params).map(([key, value]) => ["param", key, value]),
  ];
}

const MAKE_STREAM = `
  insert into streams (key, kind, model_run_id, trial_id, created_at, updated_at, warm)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2, ?2, 1 from json_each(?1)
  where ?4 or exists (select 1 from gateway_experiments where id = ?3 and lifecycle = 'active')
  on conflict (key) do nothing`;

const MAKE_RUN = `
  insert into gateway_runs (stream_id, run_id, experiment_id, artifact_uri, created_at, lifecycle, create_hash, touched_at)
  select id, ?8, ?2, ?3, ?4, ?5, ?6, ?7 from streams where key = ?1
  on conflict do nothing`;

const AGREE = `
  insert into agreed (stream_id, kind, key, value)
  select s.id, value ->> 0, value ->> 1, value ->> 2 from json_each(?1) join streams s on s.key = ?2
  where true on conflict do nothing`;

/** What a request says of parameters, under ?2 and ?3: a hundred, the most that it may hold, are too large for one. */
const SAID = `said as materialized (
  select 0 as half, id, key, value from json_each(?2) union all select 1, id, key, value from json_each(?3))`;

function halves(params: Readonly<Record<string, string>>): string[] {
  const entries = Object.entries(params);
  const middle = Math.ceil(entries.length / 2);
  return [entries.slice(0, middle), entries.slice(middle)].map((half) =>
    JSON.stringify(Object.fromEntries(half)),
  );
}

/** Whatever waits to be folded counts as well: it was acknowledged. */
const INSERT_IF_ACTIVE = journal.insertEvents(`
  not exists (select 1 from gateway_runs g where g.stream_id = s.id and g.lifecycle = 'deleted')
  and not exists (with ${SAID} select 1 from said join params p on p.stream_id = s.id and p.key = said.key
    where p.value is not said.value)
  and not exists (with ${SAID} select 1 from said, events e, json_each(iif(json_valid(e.facts), e.facts, '{}'), '$.params') p
    where e.stream_id = s.id and e.seq > s.folded_seq and e.facts is not null and p.key = said.key
      and p.value is not said.value)`);

/** What was refused pokes nobody. */
const MARK_KEPT = journal.markDirty(
  "exists (select 1 from events e where e.stream_id = streams.id and e.event_id = ?4)",
);

/** The first use of a run's id shows that its maker has heard of it. */
const TOUCH = `
  update gateway_runs set lifecycle = coalesce(?4, lifecycle), touched_at = iif(?5, coalesce(touched_at, ?3), touched_at)
  where stream_id = (select s.id from streams s join events e on e.stream_id = s.id and e.event_id = ?2 where s.key = ?1)
    and (touched_at is null or lifecycle is not coalesce(?4, lifecycle))`;

/** Who nests a run under another has heard of that one as well. */
const TOUCH_PARENTS = `
  update gateway_runs set touched_at = ?2, lifecycle = iif(${isBuried("gateway_runs")}, 'active', lifecycle)
  where touched_at is null and stream_id in (select s.id from json_each(?1) named join streams s on s.key = named.value)
  returning stream_id as id`;

/** What stood still because it was deleted in MLflow. */
const GO_ON = `
  update streams set ${UNBLOCK_AFRESH}
  where key = ?1 and ${IS_GONE}`;

/** Notes that a run's id was used by a reader; false where it was before. */
export async function touchRun(db: D1Database, streamId: number, now: number): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `update gateway_runs set touched_at = ?2
       where stream_id = ?1 and touched_at is null and not ${isBuried("gateway_runs")}`,
    )
    .bind(streamId, now)
    .run();
  return meta.changes > 0;
}

/** Why a request was not kept: the lifecycle of its run, and the parameters that have another text, folded or not. */
export async function whyNotKept(db: D1Database, key: string, params: Readonly<Record<string, string>>) {
  const [run, conflicting] = await db.batch<{ lifecycle: LifecycleStage; key: string; kept: string }>([
    db
      .prepare("select g.lifecycle from streams s join gateway_runs g on g.stream_id = s.id where s.key = ?1")
      .bind(key),
    db.prepare(CONFLICTING).bind(key, ...halves(params)),
  ]);
  return {
    lifecycle: run?.results[0]?.lifecycle ?? null,
    conflicts: (conflicting?.results ?? []).map(({ key: name, kept }) => ({ key: name, kept })),
  };
}

const CONFLICTING = `
  with ${SAID}, kept as (
    select s.id, p.key, p.value, 0 as seq from streams s join params p on p.stream_id = s.id where s.key = ?1
    union all
    select s.id, p.key, p.value, e.seq from streams s join events e on e.stream_id = s.id and e.seq > s.folded_seq,
      json_each(iif(json_valid(e.facts), e.facts, '{}'), '$.params') p where s.key = ?1 and e.facts is not null),
  first as (select key, value, row_number() over (partition by key order by seq) as n from kept)
  select said.key, first.value as kept from said join first on first.key = said.key and first.n = 1
  where first.value is not said.value order by said.half, said.id`;
