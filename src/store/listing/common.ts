import { and, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Delivery, Owner } from "../../answers/parts.ts";
import { isoTime } from "../../domain/times.ts";
import type { SyncState } from "../../domain/words.ts";
import { streams } from "../schema/index.ts";

/** How far a trial or model run is on its way to MLflow, from the stream's row. */
export const syncState: SQL<SyncState> = sql`case
  when ${streams.blockedKind} is not null then 'blocked'
  when ${streams.deliveredSeq} >= ${streams.lastSeq} then 'synced'
  when ${streams.waitingFor} is not null then 'waiting'
  else 'pending' end`;

/** The experiment that a stream's run is in, by the name that it has now. */
export const ownExperiment: SQL<string | null> = sql`coalesce(
  (select e.name from mlflow_experiments e where e.mlflow_experiment_id = ${streams.mlflowExperimentId}),
  ${streams.experimentName})`;

/** ISO 8601 of epoch milliseconds. */
export function iso(ms: number): string;
export function iso(ms: number | null): string | null;
export function iso(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}

/** Where a stream stands with MLflow: the columns that every view of one shows. */
export const deliveryColumns = {
  syncState: syncState.as("sync_state"),
  waitingFor: streams.waitingFor,
  blockedReason: streams.blockedReason,
  lastError: streams.lastError,
  mlflowRunId: streams.mlflowRunId,
  mlflowExperimentId: streams.mlflowExperimentId,
  deliveredAt: streams.deliveredAt,
};

type DeliveryRow = {
  syncState: SyncState;
  waitingFor: string | null;
  blockedReason: string | null;
  lastError: string | null;
  mlflowRunId: string | null;
  mlflowExperimentId: string | null;
  deliveredAt: number | null;
};

/** The same as the API shows it. */
export function deliveryView(row: DeliveryRow): Delivery {
  return {
    sync_state: row.syncState,
    waiting_for: row.waitingFor,
    blocked_reason: row.blockedReason,
    last_error: row.lastError,
    mlflow_run_id: row.mlflowRunId,
    mlflow_experiment_id: row.mlflowExperimentId,
    delivered_at: iso(row.deliveredAt),
  };
}

/**
 * Whose rows a list is of. Those of one trial or model run are found by its streams, not among all that ever were in some
 * state: what else is asked has `plus` before its column then.
 */
export function ofOwner(
  streamId: SQLiteColumn,
  { model_run_id, trial_id }: { model_run_id?: string | undefined; trial_id?: string | undefined },
): { plus: SQL; owned: SQL | undefined } {
  const own = [
    ...(model_run_id === undefined ? [] : [streamsOf(model_run_id)]),
    ...(trial_id === undefined ? [] : [streamsNamed(trial_id)]),
  ];
  return {
    plus: sql.raw(own.length > 0 ? "+" : ""),
    owned: and(...own.map((those) => sql`${streamId} in ${those}`)),
  };
}

/** A model run's stream and those of its trials, by the indexes of these. */
function streamsOf(modelRunId: string): SQL {
  return sql`(select id from trials where model_run_id = ${modelRunId}
    union all select id from model_runs where model_run_id = ${modelRunId})`;
}

/** The streams of the trials that are named so, in whatever model run. */
function streamsNamed(trialId: string): SQL {
  return sql`(select id from trials where trial_id = ${trialId})`;
}

/** How much of a stream there is in the tables that are not its own rows. */
export async function countsOf(db: D1Database, streamId: number) {
  const counts = await db.prepare(COUNTS).bind(streamId).first<Counts>();
  return counts ?? { events: 0, undelivered_events: 0, dead_letters: 0, conflicts: 0 };
}

type Counts = { events: number; undelivered_events: number; dead_letters: number; conflicts: number };

const COUNTS = `
  select
    (select count(*) from events where stream_id = s.id) as events,
    (select count(*) from events where stream_id = s.id and seq > s.delivered_seq) as undelivered_events,
    (select count(*) from dead_letters where stream_id = s.id and +state = 'open') as dead_letters,
    (select count(*) from conflicts where stream_id = s.id) as conflicts
  from streams s where s.id = ?1`;

/** The columns that say whose a row is. */
export const owner = {
  streamKey: streams.key,
  streamKind: streams.kind,
  modelRunId: streams.modelRunId,
  trialId: streams.trialId,
};

type OwnerRow = {
  streamKey: string | null;
  streamKind: "trial" | "model_run" | null;
  modelRunId: string | null;
  trialId: string | null;
};

/** Whose it is: the trial by its public id and the trainer's, or the model run by its own. */
export function ownerView(row: OwnerRow): Owner {
  return {
    trial: row.streamKind === "trial" ? row.streamKey : null,
    trial_id: row.trialId,
    model_run_id: row.modelRunId,
  };
}
