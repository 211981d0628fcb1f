import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { LifecycleStage } from "../../domain/words.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Clause } from "../../search/filter.ts";
import type { Search } from "../../search/search.ts";
import { orderOfExperiments } from "../../search/sorting.ts";
import type { Source } from "../../search/source.ts";
import { ALL_EXPERIMENTS, type GatewayExperiment, type Row, readExperiment } from "./experiments.ts";
import type { Window } from "./search-walk.ts";

/** Where a search finds what it compares and sorts by, in a row `r` of all experiments. */
const source: Source = {
  attributes: {
    experiment_id: sql`r.id`,
    name: sql`r.name`,
    creation_time: sql`r.createdTime`,
    last_update_time: sql`r.updatedTime`,
  },
  keyed: (_, key) => sql`(select value from json_each(r.tags) where key = ${key})`,
  metric: () => sql`null`,
  dataset: () => sql`false`,
};

/** The experiments that fit a search, in its order. */
export async function findExperiments(
  db: D1Database,
  { clauses, terms }: Search,
  stages: readonly LifecycleStage[],
  { offset, limit }: Window,
): Promise<GatewayExperiment[]> {
  const rows = await drizzle(db).all<Row>(sql`
    select * from (${sql.raw(ALL_EXPERIMENTS)}) r
    where lifecycle in (select value from json_each(${JSON.stringify(stages)}))
      and ${conditionOf(await withFirstIds(db, clauses), source)}
    order by ${orderOfExperiments(terms, source)} limit ${limit} offset ${offset}`);
  return rows.map(readExperiment);
}

/** The clauses with experiments named by their first ids, as they are shown. */
async function withFirstIds(db: D1Database, clauses: readonly Clause[]): Promise<Clause[]> {
  const named = clauses.filter(namesExperiments).flatMap(({ value }) => value ?? []);
  if (named.length === 0) return [...clauses];
  const { results } = await db
    .prepare(FIRST_IDS)
    .bind(JSON.stringify(named))
    .all<{ given: string; firstId: string }>();
  const firstIds = new Map(results.map(({ given, firstId }) => [given, firstId]));
  const first = (id: string) => firstIds.get(id) ?? id;
  return clauses.map((clause) => {
    const { value } = clause;
    if (!namesExperiments(clause) || value === null || typeof value === "number") return clause;
    return { ...clause, value: typeof value === "string" ? first(value) : value.map(first) };
  });
}

function namesExperiments({ subject: { entity, key } }: Clause): boolean {
  return entity === "attribute" && key === "experiment_id";
}

const FIRST_IDS = `
  select given.value as given, (
    select x.id from gateway_experiments x where x.mlflow_experiment_id = given.value order by x.created_time limit 1) as firstId
  from json_each(?1) given
  where not exists (select 1 from gateway_experiments x where x.id = given.value) and firstId is not null`;
