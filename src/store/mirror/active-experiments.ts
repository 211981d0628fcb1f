import { and, desc, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type At, fixed } from "../fixed.ts";
import { mlflowExperiments } from "../schema/index.ts";
import { calledSo } from "./experiments.ts";

/** The experiments that runs may be made in, as far as the mirror knows. */

/** MLflow's id of the active experiment of this name, or that had it before it was renamed; null without one. */
export async function activeExperimentNamed(db: D1Database, name: string): Promise<string | null> {
  const [[known]] = await drizzle(db).batch([activeExperiment(db, { name })]);
  return known?.id ?? null;
}

/** The query for it. */
export const activeExperiment = fixed((orm, at: At<"name">) => {
  const { name: current, mlflowExperimentId, lifecycleStage, syncedAt } = mlflowExperiments;
  return orm
    .select({ id: mlflowExperimentId })
    .from(mlflowExperiments)
    .where(and(eq(lifecycleStage, "active"), sql`${mlflowExperimentId} in ${calledSo(at("name"))}`))
    .orderBy(desc(sql`${current} = ${at("name")}`), desc(syncedAt))
    .limit(1);
});

/** Whether an experiment is active. */
export async function isExperimentActive(db: D1Database, experimentId: string): Promise<boolean> {
  const mirrored = await drizzle(db)
    .select({ lifecycleStage: mlflowExperiments.lifecycleStage })
    .from(mlflowExperiments)
    .where(eq(mlflowExperiments.mlflowExperimentId, experimentId))
    .get();
  return mirrored?.lifecycleStage === "active";
}

/** Forgets an experiment that MLflow says is gone, so that the next look asks MLflow. */
export async function forgetExperiment(db: D1Database, experimentId: string): Promise<void> {
  await drizzle(db).delete(mlflowExperiments).where(eq(mlflowExperiments.mlflowExperimentId, experimentId));
}
