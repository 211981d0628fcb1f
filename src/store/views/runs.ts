import { and, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { alias } from "drizzle-orm/sqlite-core";
import type { Run, RunListed } from "../../answers/mirror.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Clause } from "../../search/filter.ts";
import type { Term } from "../../search/order-by.ts";
import { orderOfRuns } from "../../search/sorting.ts";
import { iso } from "../listing/common.ts";
import { behind, type Order, orderTerms, type Position, rowsBefore } from "../listing/order.ts";
import { readMirrored } from "../mirror/mirrored.ts";
import { mlflowRuns, streams } from "../schema/index.ts";
import { mirroredRuns } from "./search-runs.ts";

export const LIFECYCLES = [...mlflowRuns.lifecycleStage.enumValues, "all"] as const;

export type RunFilter = {
  experiment_id?: string | undefined;
  status?: (typeof mlflowRuns.$inferSelect)["status"] | undefined;
  lifecycle: (typeof LIFECYCLES)[number];
  /** Whether the run belongs to a trial or model run. */
  linked?: boolean | undefined;
};

/** What is asked for in MLflow's language. */
export type RunSearch = { clauses: readonly Clause[]; terms: readonly Term[] };

const newest: Order = {
  by: mlflowRuns.startTime,
  id: mlflowRuns.mlflowRunId,
  descending: true,
  nullable: true,
};

const doubled = alias(streams, "doubled");

/** What a list shows of a run: nothing of its data, which may be large. */
const listed = {
  mlflowRunId: mlflowRuns.mlflowRunId,
  mlflowExperimentId: mlflowRuns.mlflowExperimentId,
  runName: mlflowRuns.runName,
  status: mlflowRuns.status,
  startTime: mlflowRuns.startTime,
  endTime: mlflowRuns.endTime,
  lifecycleStage: mlflowRuns.lifecycleStage,
  artifactUri: mlflowRuns.artifactUri,
  userId: mlflowRuns.userId,
  syncedAt: mlflowRuns.syncedAt,
  owner: { key: streams.key, kind: streams.kind, modelRunId: streams.modelRunId, trialId: streams.trialId },
  doubleOf: {
    key: doubled.key,
    kind: doubled.kind,
    modelRunId: doubled.modelRunId,
    trialId: doubled.trialId,
  },
};

/** A page of the MLflow runs that the relay knows of, latest start first, and one more. */
export async function listRuns(db: D1Database, filter: RunFilter, after: Position | null, limit: number) {
  const rows = await selectRuns(db)
    .where(and(fits(filter), behind(newest, after)))
    .orderBy(orderTerms(newest))
    .limit(limit + 1);
  return rows.map((row) => ({
    ...runView(row),
    position: { value: row.startTime, id: row.mlflowRunId },
  }));
}

/** The same of the runs that fit a search, in its order. A position counts rows, as MLflow's page tokens do. */
export async function searchRuns(
  db: D1Database,
  filter: RunFilter,
  search: RunSearch,
  after: Position | null,
  limit: number,
) {
  const offset = rowsBefore(after);
  const rows = await selectRuns(db)
    .where(and(fits(filter), conditionOf(search.clauses, mirroredRuns)))
    .orderBy(orderOfRuns(search.terms, mirroredRuns))
    .limit(limit + 1)
    .offset(offset);
  return rows.map((row, i) => ({ ...runView(row), position: { value: null, id: offset + i + 1 } }));
}

/** The few that are not over, by their own index: written out as there, or it would not be used. */
const OPEN = sql.raw("(select rowid from mlflow_runs where status in ('RUNNING', 'SCHEDULED'))");

/** As in their indexes. */
const FAILED = sql.raw("mlflow_runs.status in ('FAILED', 'KILLED')");
const DELETED = sql.raw("mlflow_runs.lifecycle_stage = 'deleted'");

function fits({ experiment_id, status, lifecycle, linked }: RunFilter): SQL | undefined {
  const isOpen = status === "RUNNING" || status === "SCHEDULED";
  // Not by the experiment's index then.
  const plus = sql.raw(isOpen ? "+" : "");
  return and(
    experiment_id === undefined ? undefined : sql`${plus}${mlflowRuns.mlflowExperimentId} = ${experiment_id}`,
    status === undefined ? undefined : eq(mlflowRuns.status, status),
    isOpen ? sql`${mlflowRuns}.rowid in ${OPEN}` : undefined,
    status === "FAILED" || status === "KILLED" ? FAILED : undefined,
    lifecycle === "all"
      ? undefined
      : lifecycle === "deleted"
        ? DELETED
        : eq(mlflowRuns.lifecycleStage, lifecycle),
    linked === undefined ? undefined : linked ? isNotNull(mlflowRuns.streamId) : isNull(mlflowRuns.streamId),
  );
}

/** One run by MLflow's id, with what the relay last pulled of it, and whose it is; or null. */
export async function readRun(db: D1Database, runId: string): Promise<Run | null> {
  const isIt = eq(mlflowRuns.mlflowRunId, runId);
  const [row, pulled] = await Promise.all([
    selectRuns(db).where(isIt).get(),
    drizzle(db).select({ data: mlflowRuns.data }).from(mlflowRuns).where(isIt).get(),
  ]);
  if (!row) return null;
  const data = readMirrored(pulled?.data ?? null);
  return {
    ...runView(row),
    params: data?.params ?? null,
    tags: data?.tags ?? null,
    metrics: data?.metrics ?? null,
    inputs: data?.inputs ?? null,
    truncated: data?.truncated ?? null,
  };
}

function selectRuns(db: D1Database) {
  return drizzle(db)
    .select(listed)
    .from(mlflowRuns)
    .leftJoin(streams, eq(streams.id, mlflowRuns.streamId))
    .leftJoin(doubled, eq(doubled.id, mlflowRuns.doubleOf));
}

type Owner = { key: string; kind: "trial" | "model_run"; modelRunId: string | null; trialId: string | null };

function runView(row: Awaited<ReturnType<typeof selectRuns>>[number]): RunListed {
  const { owner } = row;
  return {
    mlflow_run_id: row.mlflowRunId,
    mlflow_experiment_id: row.mlflowExperimentId,
    run_name: row.runName,
    status: row.status,
    start_time: iso(row.startTime),
    end_time: iso(row.endTime),
    lifecycle_stage: row.lifecycleStage,
    artifact_uri: row.artifactUri,
    user_id: row.userId,
    synced_at: iso(row.syncedAt),
    trial: owner?.kind === "trial" ? trialView(owner) : null,
    model_run: owner?.kind === "model_run" ? { model_run_id: owner.modelRunId } : null,
    double_of: row.doubleOf && trialView(row.doubleOf),
  };
}

function trialView({ key, modelRunId, trialId }: Owner) {
  return { id: key, model_run_id: modelRunId, trial_id: trialId };
}
