import type { LifecycleStage } from "../../domain/words.ts";
import { PARENT_TAG } from "../../mlflow/tags.ts";
import { isGhost } from "./ghosts.ts";

/** What delivery has to know of an MLflow client's run, beside its stream. Times in epoch milliseconds. */
export type ClientsRun = {
  createdAt: number;
  touchedAt: number | null;
  createHash: string | null;
  experimentId: string;
  lifecycle: LifecycleStage;
  /** It was deleted or restored, and MLflow has not heard of it yet. */
  isLifecycleTold: boolean;
  /** The stream of the run that it is nested under, where that has no run in MLflow yet. */
  parentId: number | null;
};

type Row = Omit<ClientsRun, "isLifecycleTold"> & { isLifecycleTold: 0 | 1 };

/** Null where no client of MLflow made the run or wrote to it. */
export async function clientsRun(db: D1Database, streamId: number): Promise<ClientsRun | null> {
  const row = await db.prepare(CLIENTS_RUN).bind(streamId, PARENT_TAG).first<Row>();
  return row && { ...row, isLifecycleTold: row.isLifecycleTold === 1 };
}

/** Of two runs that are nested under each other neither waits. */
const CLIENTS_RUN = `
  with recursive above(id, depth) as (
    select p.id, 1 from tags t join streams p on p.key = t.value
    where t.stream_id = ?1 and t.key = ?2 and t.removed_at is null and p.mlflow_run_id is null
    union
    select p.id, above.depth + 1 from above join tags t on t.stream_id = above.id and t.key = ?2 and t.removed_at is null
    join streams p on p.key = t.value and p.mlflow_run_id is null
    where above.depth < 32)
  select g.created_at as createdAt, g.touched_at as touchedAt, g.create_hash as createHash, g.experiment_id as experimentId,
    g.lifecycle,
    exists (select 1 from events e where e.stream_id = s.id and e.seq > s.delivered_seq and e.seq <= s.folded_seq
      and e.type = 'mlflow.run.lifecycle') as isLifecycleTold,
    (select id from above where depth = 1 and not exists (select 1 from above where id = ?1)) as parentId
  from gateway_runs g join streams s on s.id = g.stream_id where g.stream_id = ?1`;

/** Whether a run is the ghost of a request whose answer was lost. It counts as deleted then, and MLflow never hears of it. */
export async function buryGhost(db: D1Database, streamId: number): Promise<boolean> {
  const { meta } = await db.prepare(BURY_GHOST).bind(streamId).run();
  return meta.changes > 0;
}

const BURY_GHOST = `
  update gateway_runs set lifecycle = 'deleted' where stream_id = ?1 and ${isGhost("gateway_runs")}`;
