import type { ModelTie } from "../../domain/words.ts";
import { overRows } from "../sql.ts";
import { CHANGED } from "./models.ts";

/** What a run has to do with logged models: those that it was given or made, and its points that are theirs as well. */

/** `modelId`: the first one, of a model that the relay has. */
export type Tie = { modelId: string; kind: ModelTie; step: number };

/** Values as stored; `timestamp` in epoch milliseconds. */
export type ModelPoint = {
  modelId: string;
  key: string;
  timestamp: number;
  step: number;
  value: number | string;
  datasetName: string | null;
  datasetDigest: string | null;
};

/** `isTheirs`: MLflow had it first, and of a model that the relay need not have. */
export type SaidTie = Tie & { isTheirs?: true };

/** What a request says of models beside its event. */
export type OfModels = { ties: readonly SaidTie[]; points: readonly ModelPoint[] };

const WITH_EVENT = "join streams s on s.key = ?2 join events e on e.stream_id = s.id and e.event_id = ?3";

const KEEP_TIES = `
  insert into gateway_model_links (stream_id, model_id, kind, step, is_delivered)
  select s.id, said.value ->> 0, said.value ->> 1, said.value ->> 2, said.value ->> 3
  from json_each(?1) said ${WITH_EVENT} where true on conflict do nothing`;

const KEEP_POINTS = `
  insert into gateway_model_points (stream_id, seq, model_id, key, timestamp, step, value, dataset_name, dataset_digest)
  select s.id, e.seq, said.value ->> 0, said.value ->> 1, said.value ->> 2, said.value ->> 3, said.value ->> 4,
    said.value ->> 5, said.value ->> 6
  from json_each(?1) said ${WITH_EVENT} where true on conflict do nothing`;

const MARK_BEHIND = `
  update gateway_models set ${CHANGED}
  where id in (select value from json_each(?1))
    and exists (select 1 from events e join streams s on s.id = e.stream_id where s.key = ?3 and e.event_id = ?4)`;

/** The statements that keep it with an event of a stream, if that is kept. */
export function keepingModels(
  db: D1Database,
  { ties, points }: OfModels,
  { key, eventId, now }: { key: string; eventId: string; now: number },
): D1PreparedStatement[] {
  if (ties.length + points.length === 0) return [];
  return [
    ...overRows(
      db,
      KEEP_TIES,
      ties.map(({ modelId, kind, step, isTheirs }) => [modelId, kind, step, Number(isTheirs ?? false)]),
      key,
      eventId,
    ),
    ...overRows(db, KEEP_POINTS, points.map(pointRow), key, eventId),
    db.prepare(MARK_BEHIND).bind(JSON.stringify(modelsOf({ ties, points })), now, key, eventId),
  ];
}

/** The models of which MLflow is to hear by it. */
export function modelsOf({ ties, points }: OfModels): string[] {
  const news = ties.filter(({ isTheirs }) => !isTheirs);
  return [...new Set([...news, ...points].map(({ modelId }) => modelId))];
}

function pointRow(point: ModelPoint) {
  const { modelId, key, timestamp, step, value, datasetName, datasetDigest } = point;
  return [modelId, key, timestamp, step, value, datasetName, datasetDigest];
}

/** The models of a run, in the order in which they came. */
export async function tiesOf(db: D1Database, streamId: number): Promise<Tie[]> {
  const query = `select model_id as modelId, kind, step from gateway_model_links where stream_id = ?1 order by rowid`;
  return (await db.prepare(query).bind(streamId).all<Tie>()).results;
}

/** A model's point as it is shown; `runId`: the run's first id. */
export type ShownPoint = ModelPoint & { runId: string };

/** More points of models are not shown in one answer. */
const MAX_SHOWN_POINTS = 50_000;

/**
 * The points of models, one model after the other, each by key and in order of time.
 * @returns with how many of the models, from the first on, have all of theirs there
 */
export async function pointsOf(
  db: D1Database,
  modelIds: readonly string[],
): Promise<{ points: ShownPoint[]; whole: number }> {
  const { results } = await db
    .prepare(POINTS)
    .bind(JSON.stringify(modelIds), MAX_SHOWN_POINTS + 1)
    .all<ShownPoint>();
  const [beyond] = results.slice(MAX_SHOWN_POINTS);
  return {
    points: results.slice(0, MAX_SHOWN_POINTS),
    whole: beyond ? modelIds.indexOf(beyond.modelId) : modelIds.length,
  };
}

/** The latest points of models in some metrics, one on each dataset. */
export async function latestPointsOf(
  db: D1Database,
  modelIds: readonly string[],
  keys: readonly string[],
): Promise<ShownPoint[]> {
  if (keys.length === 0) return [];
  const { results } = await db
    .prepare(LATEST)
    .bind(JSON.stringify(modelIds), JSON.stringify(keys))
    .all<ShownPoint>();
  return results;
}

const SHOWN = `p.model_id as modelId, p.key, p.timestamp, p.step, p.value, p.dataset_name as datasetName,
  p.dataset_digest as datasetDigest, g.run_id as runId`;

const POINTS = `
  select ${SHOWN}
  from json_each(?1) asked cross join gateway_model_points p on p.model_id = asked.value
  join gateway_runs g on g.stream_id = p.stream_id
  order by asked.key, p.key, p.timestamp, p.step limit ?2`;

const LATEST = `
  select * from (
    select ${SHOWN}, row_number() over (
      partition by p.model_id, p.key, p.dataset_name, p.dataset_digest
      order by p.timestamp desc, p.step desc, g.run_id) as n
    from gateway_model_points p join gateway_runs g on g.stream_id = p.stream_id
    where p.model_id in (select value from json_each(?1)) and p.key in (select value from json_each(?2)))
  where n = 1`;
