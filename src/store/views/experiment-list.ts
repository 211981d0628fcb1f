import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { LifecycleStage, RunStatus } from "../../domain/words.ts";
import { walkedExperiments } from "../gateway/experiment-walk.ts";
import { type GatewayExperiment, type Row, readExperiment } from "../gateway/experiments.ts";
import { type Position, rowsBefore } from "../listing/order.ts";

/** Every experiment, the relay's own and those that are only in MLflow, with what runs of it are known. */

export type ExperimentRow = Pick<
  GatewayExperiment,
  "id" | "mlflowExperimentId" | "name" | "lifecycle" | "updatedTime"
> & {
  runs: Partial<Record<RunStatus, number>>;
  /** Of its clients' runs, those that MLflow does not have yet. */
  waiting: number;
};

type Found = Row & { runs: string | null; waiting: number };

/**
 * A page of them by name, and one more to tell whether there is a next page. A position counts rows.
 * @param search a part of the name, whatever the case of its letters; null: all
 */
export async function listAllExperiments(
  db: D1Database,
  search: string | null,
  after: Position | null,
  limit: number,
): Promise<(ExperimentRow & { position: Position })[]> {
  const offset = rowsBefore(after);
  const which = search === null ? sql`true` : sql`instr(lower(r.name), lower(${search})) > 0`;
  const order = sql`r.name, r.id`;
  const page = walkedExperiments({ by: "name", descending: false }, which, order, offset + limit + 1);
  const found = await drizzle(db).all<Found>(sql`
    with waiting as (
      select g.experiment_id as id, count(*) as runs from streams s join gateway_runs g on g.stream_id = s.id
      where s.warm = 1 and s.mlflow_run_id is null group by 1)
    select r.*,
      (select json_group_object(status, value) from run_counts c
        where c.mlflow_experiment_id = r.mlflowExperimentId and value > 0) as runs,
      coalesce((select runs from waiting w where w.id = r.id), 0) as waiting
    from (select * from ${page} order by ${order} limit ${limit + 1} offset ${offset}) r order by ${order}`);
  return found.map(({ runs, waiting, ...row }, i) => ({
    ...readExperiment(row),
    runs: runs === null ? {} : JSON.parse(runs),
    waiting,
    position: { value: null, id: offset + i + 1 },
  }));
}

/** A run that an MLflow client made in an experiment, and that MLflow does not have yet. */
export type WaitingRun = {
  runId: string;
  runName: string | null;
  status: RunStatus;
  lifecycle: LifecycleStage;
  createdAt: number;
  why: string | null;
};

/** Those of an experiment, the latest first, so many at most. */
export async function waitingRuns(
  db: D1Database,
  experimentId: string,
  limit: number,
): Promise<WaitingRun[]> {
  const { results } = await db.prepare(WAITING).bind(experimentId, limit).all<WaitingRun>();
  return results;
}

const WAITING = `
  select g.run_id as runId, g.run_name as runName, g.status, g.lifecycle, g.created_at as createdAt,
    coalesce(s.blocked_reason, s.last_error) as why
  from streams s cross join gateway_runs g on g.stream_id = s.id
  where s.warm = 1 and s.mlflow_run_id is null and g.experiment_id = ?1
  order by g.created_at desc limit ?2`;
