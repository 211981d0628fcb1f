import { and, desc, eq, isNull, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import type { Experiment } from "../../mlflow/types.ts";
import { gatewayExperiments, mlflowExperiments } from "../schema/index.ts";

const names = z.array(z.string());
const texts = z.record(z.string(), z.string());

/** The names that an experiment had before, newest last. */
export function readFormerNames(text: string | null): string[] {
  return text === null ? [] : names.parse(JSON.parse(text));
}

/** The tags of an experiment; null: it was never pulled. */
export function readExperimentTags(text: string | null): Record<string, string> | null {
  return text === null ? null : texts.parse(JSON.parse(text));
}

/**
 * Writes down what MLflow says of an experiment, if that is anything new. After a rename the old name stands among
 * its former ones.
 */
export async function mirrorExperiment(
  db: D1Database,
  experiment: Experiment,
  now: number,
): Promise<"created" | "updated" | "unchanged"> {
  const orm = drizzle(db);
  const { experimentId } = experiment;
  const tags = Object.fromEntries(
    experiment.tags.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ key, value }) => [key, value]),
  );
  const row = {
    name: experiment.name,
    artifactLocation: experiment.artifactLocation,
    lifecycleStage: experiment.lifecycleStage,
    tags: JSON.stringify(tags),
    createdTime: experiment.creationTime,
    updatedTime: experiment.lastUpdateTime,
    syncedAt: now,
  };
  const [, [before], written] = await orm.batch([
    // Before it takes over what is seen of another under its id.
    orm
      .update(gatewayExperiments)
      .set({
        mlflowExperimentId: null,
        sent: null,
        version: sql`${gatewayExperiments.version} + 1`,
        attempts: 0,
        nextAttemptAt: 0,
      })
      .where(
        and(
          eq(gatewayExperiments.mlflowExperimentId, experimentId),
          sql`exists (select 1 from mlflow_experiments m
            where m.mlflow_experiment_id = ${experimentId} and m.created_time <> ${experiment.creationTime})`,
        ),
      ),
    orm
      .select({ id: mlflowExperiments.mlflowExperimentId })
      .from(mlflowExperiments)
      .where(eq(mlflowExperiments.mlflowExperimentId, experimentId)),
    orm
      .insert(mlflowExperiments)
      .values({ mlflowExperimentId: experimentId, ...row })
      .onConflictDoUpdate({
        target: mlflowExperiments.mlflowExperimentId,
        set: { ...row, formerNames: FORMER_NAMES },
        setWhere: IS_NEWS,
      })
      .returning({ id: mlflowExperiments.mlflowExperimentId }),
  ]);
  if (written.length === 0) return "unchanged";
  return before ? "updated" : "created";
}

const IS_NEWS = sql`
  (mlflow_experiments.name, mlflow_experiments.artifact_location, mlflow_experiments.lifecycle_stage,
    mlflow_experiments.tags, mlflow_experiments.created_time, mlflow_experiments.updated_time) is not
  (excluded.name, excluded.artifact_location, excluded.lifecycle_stage, excluded.tags, excluded.created_time,
    excluded.updated_time)`;

/**
 * Once the experiment has the name that is said of it now; a name that it has again is none. One that was made at another
 * time is another, which has an id that MLflow gave anew, such as after it was set back, and none of the names of before.
 */
const FORMER_NAMES = sql`
  case when mlflow_experiments.created_time <> excluded.created_time then null
  when mlflow_experiments.name = excluded.name then mlflow_experiments.former_names
  else json_insert(
    (select json_group_array(value) from json_each(coalesce(mlflow_experiments.former_names, '[]'))
      where value not in (mlflow_experiments.name, excluded.name)),
    '$[#]', mlflow_experiments.name) end`;

/** The name that an experiment had when it was last seen, or null. */
export async function nameOfExperiment(db: D1Database, experimentId: string): Promise<string | null> {
  const known = await drizzle(db)
    .select({ name: mlflowExperiments.name })
    .from(mlflowExperiments)
    .where(eq(mlflowExperiments.mlflowExperimentId, experimentId))
    .get();
  return known?.name ?? null;
}

/** Notes that an experiment was just restored. */
export async function markExperimentActive(db: D1Database, experimentId: string, now: number): Promise<void> {
  await drizzle(db)
    .update(mlflowExperiments)
    .set({ lifecycleStage: "active", syncedAt: now })
    .where(eq(mlflowExperiments.mlflowExperimentId, experimentId));
}

/** Notes that every run of an experiment was pulled. */
export async function markPulled(db: D1Database, experimentId: string, now: number): Promise<void> {
  await drizzle(db)
    .update(mlflowExperiments)
    .set({ pulledAt: now })
    .where(and(eq(mlflowExperiments.mlflowExperimentId, experimentId), isNull(mlflowExperiments.pulledAt)));
}

/** Notes that an experiment that the mirror has is deleted, for MLflow does not know it any more. */
export async function markExperimentGone(db: D1Database, experimentId: string, now: number): Promise<void> {
  await drizzle(db)
    .update(mlflowExperiments)
    .set({ lifecycleStage: "deleted", syncedAt: now })
    .where(eq(mlflowExperiments.mlflowExperimentId, experimentId));
}

/** The experiments that have this name or had it, each by an index of its own: there may be many of other names. */
export const calledSo = (name: SQL): SQL => sql`
  (select mlflow_experiment_id from mlflow_experiments where name = ${name}
   union all
   select mlflow_experiment_id from mlflow_experiments
   where former_names is not null and exists (select 1 from json_each(former_names) where value = ${name}))`;

/** MLflow's id of the experiment that has this name, or last had it; null when the mirror knows none. */
export async function experimentNamed(db: D1Database, name: string): Promise<string | null> {
  const { name: current, mlflowExperimentId, lifecycleStage, syncedAt } = mlflowExperiments;
  const found = await drizzle(db)
    .select({ id: mlflowExperimentId })
    .from(mlflowExperiments)
    .where(sql`${mlflowExperimentId} in ${calledSo(sql`${name}`)}`)
    .orderBy(desc(sql`${current} = ${name}`), lifecycleStage, desc(syncedAt))
    .limit(1)
    .get();
  return found?.id ?? null;
}

/** Whether the mirror knows the experiment of this id by this name, or one that it had. */
export async function isCalledSo(db: D1Database, experimentId: string, name: string): Promise<boolean> {
  const found = await drizzle(db)
    .select({ id: mlflowExperiments.mlflowExperimentId })
    .from(mlflowExperiments)
    .where(
      and(
        eq(mlflowExperiments.mlflowExperimentId, experimentId),
        sql`${mlflowExperiments.mlflowExperimentId} in ${calledSo(sql`${name}`)}`,
      ),
    )
    .get();
  return found !== undefined;
}
