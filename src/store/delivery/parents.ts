import { and, eq, isNotNull, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { type At, fixed } from "../fixed.ts";
import { mlflowExperiments, modelRuns, streams, trials } from "../schema/index.ts";
import type { StreamRow } from "../stream/leases.ts";

/** The stream of a model run, with what its trials need to know of it. */
export async function modelRunStream(db: D1Database, modelRunId: string) {
  const [row] = await modelRunRow(drizzle(db), modelRunId);
  return row ?? null;
}

/** The query for that. Two columns of a batch must not have one name. */
export function modelRunRow(orm: DrizzleD1Database, modelRunId: string | SQL) {
  return orm
    .select({
      stream: streams,
      core: modelRuns.core,
      announced: modelRuns.announced,
      experimentName: sql<string | null>`${modelRuns.experimentName}`.as("named_experiment"),
      /** Whether the experiment that its run is in is known to be active, by the name that it was made with. */
      isHomeActive: sql`exists (select 1 from ${mlflowExperiments} e
        where e.mlflow_experiment_id = ${streams.mlflowExperimentId} and e.lifecycle_stage = 'active'
          and ${streams.experimentName} in (
            select e.name union all select value from json_each(coalesce(e.former_names, '[]'))))`
        .mapWith(Boolean)
        .as("is_home_active"),
    })
    .from(modelRuns)
    .innerJoin(streams, eq(streams.id, modelRuns.id))
    .where(eq(modelRuns.modelRunId, modelRunId));
}

/** The same of a trial, by its stream's `id`, that has no run yet; no row where it is none. */
export const parentRow = fixed((orm, at: At<"id">) =>
  modelRunRow(
    orm,
    sql`(select model_run_id from streams where id = ${at("id")} and kind = 'trial' and mlflow_run_id is null)`,
  ),
);

export type ParentRow = Awaited<ReturnType<typeof modelRunRow>>[number];

const namedExperiment = fixed((orm, at: At<"parent">) =>
  orm
    .select({ name: modelRuns.experimentName })
    .from(modelRuns)
    .where(eq(modelRuns.modelRunId, at("parent"))),
);

/** The query for the experiment that a trial's model run names; no row where it is not a trial of one. */
export function parentExperiment(
  db: D1Database,
  { kind, modelRunId }: Pick<StreamRow, "kind" | "modelRunId">,
) {
  return namedExperiment(db, { parent: kind === "trial" ? modelRunId : null });
}

/** The folded core of a stream, as JSON; null while nothing is folded. */
export async function coreOf(
  db: D1Database,
  stream: { id: number; kind: "trial" | "model_run" },
): Promise<string | null> {
  const table = stream.kind === "trial" ? trials : modelRuns;
  const row = await drizzle(db).select({ core: table.core }).from(table).where(eq(table.id, stream.id)).get();
  return row?.core ?? null;
}

/** When a stream is linked: the time, where it is a model run with trials that have runs in the experiment, else null. */
export function nestsSince(experimentId: string, now: number): SQL<number | null> {
  return sql`(select ${now} from streams t where streams.kind = 'model_run' and t.kind = 'trial'
    and t.model_run_id = streams.model_run_id and t.mlflow_experiment_id = ${experimentId}
    and t.mlflow_run_id is not null limit 1)`;
}

/** The trials of a model run that have runs in an experiment. */
export async function trialsInExperiment(db: D1Database, modelRunId: string, experimentId: string) {
  return drizzle(db)
    .select({ key: streams.key, trialId: streams.trialId })
    .from(streams)
    .where(
      and(
        eq(streams.modelRunId, modelRunId),
        eq(streams.kind, "trial"),
        eq(streams.mlflowExperimentId, experimentId),
        isNotNull(streams.mlflowRunId),
      ),
    );
}

/** The MLflow run of a stream; null before it has one. */
export async function runIdOf(db: D1Database, streamId: number): Promise<string | null> {
  const row = await drizzle(db)
    .select({ runId: streams.mlflowRunId })
    .from(streams)
    .where(eq(streams.id, streamId))
    .get();
  return row?.runId ?? null;
}
