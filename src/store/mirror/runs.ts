import { taggedIdsOf } from "../../mlflow/tags.ts";
import type { Run } from "../../mlflow/types.ts";
import { overRows } from "../sql.ts";
import { marksToFollow } from "./marks.ts";
import { type Hashes, hashesOf, toMirrored } from "./mirrored.ts";

/** Of a run that MLflow did not lose; `r` is its row in the mirror. */
export const NOT_GONE = "r.gone_at is null";

/**
 * A linked run whose changes, other than of metrics, are to be merged into its stream; `isMarked`: to be followed, from
 * an earlier look, and perhaps under way.
 */
export type ToMerge = { streamId: number; run: Run; hashes: Hashes; isMarked: boolean };

/** What a look at some runs brought. `deleted` of them were active when they were last seen. */
export type MirrorNews = {
  created: number;
  updated: number;
  unchanged: number;
  deleted: number;
  toMerge: ToMerge[];
};

type Known = {
  id: string;
  hash: string | null;
  metricsHash: string | null;
  unmerged: 0 | 1;
  goneAt: number | null;
  runName: string | null;
  status: string;
  endTime: number | null;
  lifecycleStage: string;
  syncedAt: number;
  streamId: number | null;
  followAt: number | null;
  deliveredAt: number | null;
};

/**
 * Writes down what MLflow says of some runs: those that changed, in one statement; runs as they were are not written
 * at all. Links and findings about doubles stay.
 * @param seenAt when MLflow was asked, epoch milliseconds: what was written down since is newer and stays
 * @param mergeLater keeps in mind, until `noteMerged`, which linked runs are still to be merged, so that a crash
 *   before that does not lose their changes
 * @param chooses which of those are to be followed: they are marked with what is written, since a run that is seen to
 *   have ended may never be looked at again
 */
export async function mirrorRuns(
  db: D1Database,
  runs: readonly Run[],
  seenAt: number,
  mergeLater = false,
  chooses: (toMerge: readonly ToMerge[]) => Promise<Iterable<string>> = async () => [],
): Promise<MirrorNews> {
  const mirrored: MirrorNews = { created: 0, updated: 0, unchanged: 0, deleted: 0, toMerge: [] };
  if (runs.length === 0) return mirrored;
  const [known, hashed] = await Promise.all([knownRuns(db, runs), Promise.all(runs.map(hashesOf))]);
  const rows: object[] = [];
  for (const { run, hashes } of hashed) {
    const before = known.get(run.info.runId);
    const news = newsOf(before, run, hashes);
    mirrored[before ? (news.isSame ? "unchanged" : "updated") : "created"]++;
    if (before?.lifecycleStage === "active" && run.info.lifecycleStage === "deleted") mirrored.deleted++;
    if (before && before.streamId !== null && news.toMerge)
      mirrored.toMerge.push({ streamId: before.streamId, run, hashes, isMarked: before.followAt !== null });
    if (!news.isSame || news.sentSince || (news.wasUnmerged && !mergeLater))
      rows.push({ ...rowOf(run, seenAt), ...hashes, unmerged: Number(news.toMerge && mergeLater) });
  }
  const marking = marksToFollow(db, [...(await chooses(mirrored.toMerge))]);
  const writing = [...(rows.length > 0 ? overRows(db, UPSERT, rows) : []), ...marking];
  if (writing.length > 0) await db.batch(writing);
  return mirrored;
}

/** What a look at a run brought, against what the mirror had. */
function newsOf(before: Known | undefined, run: Run, { hash, metricsHash }: Hashes) {
  if (!before) return { isSame: false, sentSince: false, wasUnmerged: false, toMerge: false };
  const wasUnmerged = before.unmerged === 1;
  const asSeen = before.goneAt === null && hasColumns(before, run) && before.hash === hash;
  // What was sent since the last look may have been taken back in MLflow: that looks as if nothing had changed.
  const sentSince = before.streamId !== null && (before.deliveredAt ?? 0) >= before.syncedAt;
  const toMerge = before.streamId !== null && (wasUnmerged || sentSince || !asSeen);
  return { isSame: asSeen && before.metricsHash === metricsHash, sentSince, wasUnmerged, toMerge };
}

/** Notes that these changes are merged; one that has changed again meanwhile is not. */
export async function noteMerged(db: D1Database, merged: readonly ToMerge[]): Promise<void> {
  if (merged.length === 0) return;
  const rows = merged.map(({ run, hashes }) => ({ id: run.info.runId, ...hashes }));
  await db.batch(overRows(db, MARK_MERGED, rows));
}

/** Notes that a run was just restored. */
export async function markActive(db: D1Database, runId: string, now: number): Promise<void> {
  await db
    .prepare("update mlflow_runs set lifecycle_stage = 'active', synced_at = ?2 where mlflow_run_id = ?1")
    .bind(runId, now)
    .run();
}

/** Notes that MLflow does not know these runs any more: they were deleted for good. */
export async function markGone(db: D1Database, runIds: readonly string[], now: number): Promise<void> {
  if (runIds.length > 0) await db.prepare(MARK_GONE).bind(JSON.stringify(runIds), now).run();
}

/** Notes the same of one run, and tells since when it is known; null where it is in the mirror no more. */
export async function goneSince(db: D1Database, runId: string, now: number): Promise<number | null> {
  await markGone(db, [runId], now);
  const query = "select gone_at from mlflow_runs where mlflow_run_id = ?1";
  return db.prepare(query).bind(runId).first<number>("gone_at");
}

/** How many runs of an experiment the mirror has that MLflow did not lose. */
export async function countMirrored(db: D1Database, experimentId: string): Promise<number> {
  const query = `select count(*) as n from mlflow_runs r where r.mlflow_experiment_id = ?1 and ${NOT_GONE}`;
  return (await db.prepare(query).bind(experimentId).first<number>("n")) ?? 0;
}

/** The ids of such runs, after one of them, in order. */
export async function mirroredIds(
  db: D1Database,
  experimentId: string,
  after: string,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select r.mlflow_run_id as id from mlflow_runs r
       where r.mlflow_experiment_id = ?1 and r.mlflow_run_id > ?2 and ${NOT_GONE}
       order by r.mlflow_run_id limit ?3`,
    )
    .bind(experimentId, after, limit)
    .all<{ id: string }>();
  return results.map((row) => row.id);
}

async function knownRuns(db: D1Database, runs: readonly Run[]): Promise<Map<string, Known>> {
  const ids = JSON.stringify(runs.map((run) => run.info.runId));
  const { results } = await db.prepare(KNOWN).bind(ids).all<Known>();
  return new Map(results.map((row) => [row.id, row]));
}

/** The columns that the relay itself writes when it changes them in MLflow. */
function hasColumns(row: Known, { info }: Run): boolean {
  return (
    row.status === info.status &&
    row.lifecycleStage === info.lifecycleStage &&
    row.runName === info.runName &&
    row.endTime === info.endTime
  );
}

function rowOf(run: Run, seenAt: number) {
  return { ...run.info, ...taggedIdsOf(run), data: toMirrored(run), seenAt };
}

const KNOWN = `
  select r.mlflow_run_id as id, r.hash, r.metrics_hash as metricsHash, r.unmerged, r.gone_at as goneAt, r.run_name as runName, r.status, r.end_time as endTime,
    r.lifecycle_stage as lifecycleStage, r.synced_at as syncedAt, r.stream_id as streamId, r.follow_at as followAt,
    s.delivered_at as deliveredAt
  from json_each(?1) given
  join mlflow_runs r on r.mlflow_run_id = given.value
  left join streams s on s.id = r.stream_id`;

const UPSERT = `
  insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, run_name, status, start_time, end_time,
    lifecycle_stage, artifact_uri, user_id, data, hash, metrics_hash, unmerged, synced_at, tagged_trial_id,
    tagged_model_run_id)
  select value ->> 'runId', value ->> 'experimentId', value ->> 'runName', value ->> 'status',
    value ->> 'startTime', value ->> 'endTime', value ->> 'lifecycleStage', value ->> 'artifactUri',
    value ->> 'userId', value -> 'data', value ->> 'hash', value ->> 'metricsHash', value ->> 'unmerged',
    value ->> 'seenAt', value ->> 'trialId', value ->> 'modelRunId'
  from json_each(?1) where true
  on conflict (mlflow_run_id) do update set
    mlflow_experiment_id = excluded.mlflow_experiment_id, run_name = excluded.run_name,
    status = excluded.status, start_time = excluded.start_time, end_time = excluded.end_time,
    lifecycle_stage = excluded.lifecycle_stage, artifact_uri = excluded.artifact_uri,
    user_id = excluded.user_id, data = excluded.data, hash = excluded.hash,
    metrics_hash = excluded.metrics_hash, unmerged = excluded.unmerged, gone_at = null,
    synced_at = excluded.synced_at,
    tagged_trial_id = excluded.tagged_trial_id, tagged_model_run_id = excluded.tagged_model_run_id
  where excluded.synced_at >= mlflow_runs.synced_at`;

const MARK_MERGED = `
  update mlflow_runs set unmerged = 0
  from (select value ->> 'id' as id, value ->> 'hash' as hash, value ->> 'metricsHash' as metricsHash
    from json_each(?1)) as given
  where mlflow_runs.mlflow_run_id = given.id and mlflow_runs.hash = given.hash
    and mlflow_runs.metrics_hash = given.metricsHash`;

const MARK_GONE = `
  update mlflow_runs set lifecycle_stage = 'deleted', gone_at = ?2, synced_at = ?2
  where mlflow_run_id in (select value from json_each(?1)) and gone_at is null`;
