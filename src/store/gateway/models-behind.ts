import * as z from "zod";
import { LIFECYCLE_STAGES, MODEL_STATUSES } from "../../domain/words.ts";
import { ending, repeatable } from "../database/counted.ts";
import { giveBack, takeLease } from "../database/leased-row.ts";
import { NOW_MS } from "../sql.ts";
import { type GatewayModel, isGhostModel, MODEL_COLUMNS, type ModelRow, readModel } from "./models.ts";

/** The logged models that MLflow has not heard all of, each brought there under a lease of its own. */

const sentSchema = z.object({
  status: z.enum(MODEL_STATUSES),
  lifecycle: z.enum(LIFECYCLE_STAGES),
  tags: z.record(z.string(), z.string()),
  params: z.record(z.string(), z.string()),
});
/** A model as MLflow last took it. */
export type SentModel = z.output<typeof sentSchema>;

/** A model under a lease. `version`: which of its changes this is. Null ids: MLflow does not have that yet. */
export type ClaimedModel = GatewayModel & {
  token: string;
  version: number;
  attempts: number;
  sent: SentModel | null;
  /** When MLflow was asked to make it, where the answer is not known. */
  createSentAt: number | null;
  mlflowExperimentId: string | null;
  /** The stream of the run that made it, where it is one of the relay's. */
  sourceStreamId: number | null;
  mlflowRunId: string | null;
  isGhost: boolean;
  /** Its run made one of this name before, which goes first: by their names the latest is taken. */
  isLater: boolean;
};

type Flags = "isGhost" | "isLater";
type ClaimedRow = ModelRow &
  Omit<ClaimedModel, keyof GatewayModel | "token" | "sent" | Flags> &
  Record<Flags, 0 | 1> & { sent: string | null };

/** Takes the lease of a model that is behind and due; null where it is neither, or another has it. */
export async function claimModel(
  db: D1Database,
  id: string,
  ms: number,
  now: number,
): Promise<ClaimedModel | null> {
  const token = crypto.randomUUID();
  const row = await repeatable(db).prepare(CLAIM).bind(id, token, ms, now).first<ClaimedRow>();
  if (!row) return null;
  return {
    ...row,
    ...readModel(row),
    token,
    sent: row.sent === null ? null : sentSchema.parse(JSON.parse(row.sent)),
    isGhost: row.isGhost === 1,
    isLater: row.isLater === 1,
  };
}

/** What waits for longer than this is not waited for. */
const SOON_MS = 60_000;

/**
 * Of an experiment or run that only MLflow has, its id is the same there. Of the models before it only those are looked at
 * that are behind as well, by their index: those of its experiment are ever more.
 */
const CLAIM = `${takeLease("gateway_models")}
  returning ${MODEL_COLUMNS}, version, attempts, sent, create_sent_at as createSentAt,
    (select x.mlflow_experiment_id from gateway_experiments x where x.id = experiment_id) as mlflowExperimentId,
    (select s.id from streams s where s.key = source_run_id) as sourceStreamId,
    coalesce((select s.mlflow_run_id from streams s where s.key = source_run_id),
      iif(exists (select 1 from streams s where s.key = source_run_id), null, source_run_id)) as mlflowRunId,
    ${isGhostModel("gateway_models")} as isGhost,
    exists (select 1 from gateway_models before indexed by gateway_models_behind where before.experiment_id = gateway_models.experiment_id
      and before.created_time <= gateway_models.created_time and before.n < gateway_models.n
      and before.source_run_id = gateway_models.source_run_id and before.name = gateway_models.name
      and before.mlflow_id is null and before.touched_at is not null and before.delivered_version < before.version
      and before.next_attempt_at <= ?4 + ${SOON_MS}) as isLater`;

type Leased = Pick<ClaimedModel, "id" | "token">;

/**
 * Writes down that MLflow is about to be asked to make it, or is not any more, and keeps the lease.
 * @returns false where the lease was lost
 */
export async function noteCreate(
  db: D1Database,
  { id, token }: Leased,
  { sentAt, ms }: { sentAt: number | null; ms: number },
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `update gateway_models set create_sent_at = ?3, lease_until = ${NOW_MS} + ?4 where id = ?1 and lease_token = ?2`,
    )
    .bind(id, token, sentAt, ms)
    .run();
  return meta.changes > 0;
}

/**
 * Writes down which of MLflow's it is; its files may go there now.
 * @returns its files that wait for it; null where the lease was lost
 */
export async function placeModel(
  db: D1Database,
  { id, token, n }: Leased & { n: number },
  { mlflowId, root, sent }: { mlflowId: string; root: string; sent: SentModel },
): Promise<number[] | null> {
  const [placed, files] = await db.batch<{ id: number }>([
    db
      .prepare(
        `update gateway_models set mlflow_id = ?3, mlflow_root = ?4, sent = ?5 where id = ?1 and lease_token = ?2`,
      )
      .bind(id, token, mlflowId, root, JSON.stringify(sent)),
    db
      .prepare(
        "update artifacts set next_attempt_at = 0 where stream_id = ?1 and delivered_version < version returning id",
      )
      .bind(-n),
  ]);
  if ((placed?.meta.changes ?? 0) === 0) return null;
  return (files?.results ?? []).map((file) => file.id);
}

/** Writes down what MLflow has taken. */
export async function noteSentModel(db: D1Database, { id, token }: Leased, sent: SentModel): Promise<void> {
  await db
    .prepare("update gateway_models set sent = ?3 where id = ?1 and lease_token = ?2")
    .bind(id, token, JSON.stringify(sent))
    .run();
}

/**
 * Gives the lease back once MLflow has a version of it.
 * @param pointsDueAt when to see whether its points may go
 * @returns whether it changed meanwhile, so that it is to go again
 */
export async function releaseModel(
  db: D1Database,
  { id, token, version }: Leased & { version: number },
  pointsDueAt: number,
): Promise<boolean> {
  const row = await db
    .prepare(
      `update gateway_models set lease_token = null, lease_until = 0, delivered_version = ?3, attempts = 0, last_error = null,
         points_due_at = iif(exists (select 1 from gateway_model_points p where p.model_id = gateway_models.id), ?4, null)
       where id = ?1 and lease_token = ?2 returning version > delivered_version as isBehind`,
    )
    .bind(id, token, version, pointsDueAt)
    .first<{ isBehind: 0 | 1 }>();
  return row?.isBehind === 1;
}

/** Gives the lease back: why MLflow does not have it yet, when to try again, and for how long a call may still land. */
export async function releaseModelBehind(
  db: D1Database,
  { id, token, version }: Leased & { version: number },
  end: { error: string; nextAttemptAt: number; landsForMs: number },
): Promise<void> {
  await ending(repeatable(db))
    .prepare(
      `update gateway_models set ${giveBack("?5")}, last_error = ?3, next_attempt_at = iif(version = ?6, ?4, 0) where id = ?1 and lease_token = ?2`,
    )
    .bind(id, token, end.error, end.nextAttemptAt, end.landsForMs, version)
    .run();
}

/** The models that are behind and due by a time, those that wait longest first. */
export async function modelsBehind(db: D1Database, dueBy: number, most: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select id from gateway_models where delivered_version < version and next_attempt_at <= ?1
       order by next_attempt_at limit ?2`,
    )
    .bind(dueBy, most)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Counting stops here. */
const MAX_COUNTED = 100_000;

/** How many models MLflow has not heard all of. */
export const MODEL_BACKLOG = `
  select 'behind' as label, null as detail, count(*) as value from (
    select 1 from gateway_models where delivered_version < version and touched_at is not null limit ${MAX_COUNTED})`;
