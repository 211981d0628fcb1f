import * as z from "zod";
import { keyProblem } from "../../domain/limits.ts";
import type { LifecycleStage } from "../../domain/words.ts";
import { PARENT_TAG } from "../../mlflow/tags.ts";
import { Bound } from "../sql.ts";

/** What delivery has to know of an MLflow client's run, beside its stream. Times in epoch milliseconds. */
export type ClientsRun = {
  createdAt: number;
  touchedAt: number | null;
  createHash: string | null;
  experimentId: string;
  lifecycle: LifecycleStage;
  /** It was deleted or restored, and MLflow has not heard of it yet. */
  isLifecycleTold: boolean;
  /** It was given datasets that MLflow has not heard of. */
  hasInputs: boolean;
  /** The stream of the run that it is nested under, where that has no run in MLflow yet. */
  parentId: number | null;
  /** That one stands still until somebody acts. */
  isParentBlocked: boolean;
  /** Tags that MLflow takes as it makes a run, and never again. */
  tagsOfCreate: { key: string; value: string }[];
};

type Row = Omit<ClientsRun, "isLifecycleTold" | "hasInputs" | "isParentBlocked" | "tagsOfCreate"> & {
  isLifecycleTold: 0 | 1;
  hasInputs: 0 | 1;
  isParentBlocked: 0 | 1 | null;
  oddTags: string;
};

const pairs = z.array(z.object({ key: z.string(), value: z.string() }));

/** Null where no client of MLflow made the run or wrote to it. */
export async function clientsRun(db: D1Database, streamId: number): Promise<ClientsRun | null> {
  return readClients(await db.prepare(CLIENTS_RUN).bind(streamId, PARENT_TAG).all<Row>());
}

/** The query for it, and what it has found. */
export function clientsRow(db: D1Database, streamId: number): Bound<Row> {
  return new Bound<Row>(db, CLIENTS_RUN, streamId, PARENT_TAG);
}

export function readClients({ results: [row] }: D1Result<Row>): ClientsRun | null {
  if (!row) return null;
  const { oddTags, ...run } = row;
  return {
    ...run,
    isLifecycleTold: run.isLifecycleTold === 1,
    hasInputs: run.hasInputs === 1,
    isParentBlocked: run.isParentBlocked === 1,
    tagsOfCreate: pairs.parse(JSON.parse(oddTags)).filter(({ key }) => isOfCreate(key)),
  };
}

/** Whether MLflow takes a tag's key from runs/create alone: by no other call does a client set such a one. */
export function isOfCreate(key: string): boolean {
  return keyProblem(key) !== null;
}

/** Whether a key may be one of those, so that the others need not be read. */
const IS_ODD = "(t.key = '' or t.key glob '*[^-A-Za-z0-9_.: ]*' or t.key glob '.*')";

/** Of two runs that are nested under each other neither waits, nor does one whose parent was given up. */
const CLIENTS_RUN = `
  with recursive above(id, depth) as (
    select p.id, 1 from tags t join streams p on p.key = t.value
    where t.stream_id = ?1 and t.key = ?2 and t.removed_at is null and p.mlflow_run_id is null
      and p.blocked_kind is not 'forgotten'
    union
    select p.id, above.depth + 1 from above join tags t on t.stream_id = above.id and t.key = ?2 and t.removed_at is null
    join streams p on p.key = t.value and p.mlflow_run_id is null and p.blocked_kind is not 'forgotten'
    where above.depth < 32),
  parent as (select id from above where depth = 1 and not exists (select 1 from above where id = ?1))
  select g.created_at as createdAt, g.touched_at as touchedAt, g.create_hash as createHash, g.experiment_id as experimentId,
    g.lifecycle,
    exists (select 1 from events e where e.stream_id = s.id and e.seq > s.delivered_seq and e.seq <= s.folded_seq
      and e.type = 'mlflow.run.lifecycle') as isLifecycleTold,
    exists (select 1 from gateway_inputs i where i.stream_id = s.id and not i.is_delivered) as hasInputs,
    (select json_group_array(json_object('key', t.key, 'value', t.value)) from tags t where t.stream_id = s.id
      and t.removed_at is null and t.key not glob 'relay.*' and ${IS_ODD}) as oddTags,
    (select id from parent) as parentId,
    (select blocked_kind is not null from streams where id = (select id from parent)) as isParentBlocked
  from gateway_runs g join streams s on s.id = g.stream_id where g.stream_id = ?1`;

/**
 * Has the run above another one go to MLflow, though nobody used it before, or it is delivered only when it is asked for,
 * as the other one was.
 */
export async function hurryParent(db: D1Database, streamId: number, isForced: boolean): Promise<void> {
  await db
    .prepare(
      `update streams set planned_seq = 0, delivered_seq = 0, forced = max(forced, ?2)
       where id = ?1 and mlflow_run_id is null and (delivered_seq > 0 or forced < ?2)`,
    )
    .bind(streamId, Number(isForced))
    .run();
}
