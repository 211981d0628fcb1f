import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { compared } from "../../search/conditions.ts";
import type { Clause } from "../../search/filter.ts";
import { numberOf } from "../../search/source.ts";
import { type GatewayModel, isGhostModel, MODEL_COLUMNS, type ModelRow, readModel } from "./models.ts";
import type { Place } from "./search-walk.ts";

/** Only points with one of these datasets count; without a digest whichever has the name. */
export type DatasetAsked = { name: string; digest: string | null };

/** More models of its own the relay does not sort for one search. */
export const MAX_FOUND = 2_000;

const ATTRIBUTES: Readonly<Record<string, SQL>> = {
  name: sql`m.name`,
  model_id: sql`m.id`,
  model_type: sql`m.model_type`,
  source_run_id: sql`m.source_run_id`,
  experiment_id: sql`m.experiment_id`,
  artifact_location: sql`m.artifact_uri`,
  creation_timestamp_ms: sql`m.created_time`,
  last_updated_timestamp_ms: sql`m.updated_time`,
};

/**
 * The relay's models in some of its experiments that fit a filter, the latest first: those of a page in that order, or, for
 * another, as many as are sorted.
 * @param page behind which model, and so many at most
 */
export async function findModels(
  db: D1Database,
  experimentIds: readonly string[],
  clauses: readonly Clause[],
  datasets: readonly DatasetAsked[],
  page: { after?: Place | undefined; limit: number } = { limit: MAX_FOUND },
): Promise<GatewayModel[]> {
  const onDatasets = datasetCondition(datasets);
  const isMetricAsked = clauses.some(({ subject }) => subject.entity === "metric");
  const limit = Math.min(page.limit, MAX_FOUND);
  const conditions = [
    sql`m.experiment_id = asked.value`,
    sql`m.lifecycle = 'active' and not ${sql.raw(isGhostModel("m"))}`,
    ...clauses.map((clause) => conditionOn(clause, onDatasets)),
    ...(onDatasets && !isMetricAsked ? [withPoint(onDatasets)] : []),
    ...(page.after ? [behind(page.after)] : []),
  ];
  // Of each experiment by itself, which is in that order in the index: no more is read than may be shown.
  const rows = await drizzle(db).all<ModelRow>(sql`
    select ${sql.raw(MODEL_COLUMNS)} from gateway_models where n in (
      select o.n from json_each(${JSON.stringify(experimentIds)}) asked cross join gateway_models o on o.n in (
        select m.n from gateway_models m where ${sql.join(conditions, sql` and `)}
        order by m.created_time desc, m.id limit ${limit}))
    order by created_time desc, id limit ${limit}`);
  return rows.map(readModel);
}

function behind({ by, id }: Place): SQL {
  return sql`m.created_time <= ${by} and (m.created_time < ${by} or m.id > ${id})`;
}

function conditionOn({ subject, comparator, value }: Clause, onDatasets: SQL | null): SQL {
  const test = (given: SQL) => compared(given, comparator, value);
  switch (subject.entity) {
    case "attribute":
      return test(ATTRIBUTES[subject.attribute.name] ?? sql`null`);
    case "metric": {
      const point = sql`p.key = ${subject.key} and ${test(numberOf(sql`p.value`, sql`0`))}`;
      return withPoint(onDatasets ? sql`${point} and ${onDatasets}` : point);
    }
    case "tag":
      return test(sql`(select value from json_each(m.tags) where key = ${subject.key})`);
    default:
      return test(sql`(select value from json_each(m.params) where key = ${subject.key})`);
  }
}

function withPoint(condition: SQL): SQL {
  return sql`exists (select 1 from gateway_model_points p where p.model_id = m.id and ${condition})`;
}

function datasetCondition(datasets: readonly DatasetAsked[]): SQL | null {
  if (datasets.length === 0) return null;
  const asked = JSON.stringify(datasets.map(({ name, digest }) => [name, digest]));
  return sql`exists (select 1 from json_each(${asked}) d where d.value ->> 0 = p.dataset_name
    and coalesce(d.value ->> 1, p.dataset_digest) is p.dataset_digest)`;
}

/**
 * Which of these first ids are of models that the relay knows more of than MLflow: its own, but for those whose points
 * were pruned, and what is still to go there.
 */
export async function knownModels(db: D1Database, ids: readonly string[]): Promise<Set<string>> {
  const { results } = await db
    .prepare(
      `select id from gateway_models where id in (select value from json_each(?1))
         and (id is not mlflow_id and points_pruned_at is null or delivered_version < version)`,
    )
    .bind(JSON.stringify(ids))
    .all<{ id: string }>();
  return new Set(results.map(({ id }) => id));
}

/** Those of these first ids that are of the relay's own models, some of whose points are in MLflow only. */
export async function prunedModels(db: D1Database, ids: readonly string[]): Promise<GatewayModel[]> {
  const { results } = await db
    .prepare(
      `select ${MODEL_COLUMNS} from gateway_models where id in (select value from json_each(?1))
         and points_pruned_at is not null and id is not mlflow_id`,
    )
    .bind(JSON.stringify(ids))
    .all<ModelRow>();
  return results.map(readModel);
}
