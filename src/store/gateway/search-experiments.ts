import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { LifecycleStage } from "../../domain/words.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Clause } from "../../search/filter.ts";
import type { Search } from "../../search/search.ts";
import { orderOfExperiments } from "../../search/sorting.ts";
import type { Source } from "../../search/source.ts";
import { type ExperimentOrder, walkedExperiments } from "./experiment-walk.ts";
import { ALL_EXPERIMENTS, type GatewayExperiment, type Row, readExperiment } from "./experiments.ts";
import { MAX_CLAUSES, type Place, type Window } from "./search-walk.ts";

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

/** By what a search is in order as an index has it; null: all is sorted for it. */
function walkOf({ clauses, terms }: Search): { by: ExperimentOrder; descending: boolean } | null {
  const [term, ...others] = terms;
  const isTie = others.every(({ subject }) => subject.key === "experiment_id");
  if (term === undefined || !isTie || clauses.length > MAX_CLAUSES) return null;
  const { subject, descending } = term;
  if (subject.key === "name") return { by: "name", descending };
  return subject.key === "creation_time" ? { by: "createdTime", descending } : null;
}

/** Whether a search is in order of creation, so that a page can begin behind an experiment. */
export function isByCreation(search: Search): boolean {
  return walkOf(search)?.by === "createdTime";
}

/** The experiments that fit a search, in its order. */
export async function findExperiments(
  db: D1Database,
  search: Search,
  stages: readonly LifecycleStage[],
  window: Window,
): Promise<GatewayExperiment[]> {
  const walk = walkOf(search);
  const after = isByCreation(search) ? window.after : undefined;
  const offset = after ? 0 : window.offset;
  const order = orderOfExperiments(search.terms, source);
  const which = sql`lifecycle in (select value from json_each(${JSON.stringify(stages)}))
    and ${conditionOf(await withFirstIds(db, search.clauses), source)}
    and ${after ? behind(search, after) : sql`true`}`;
  const rows = walk
    ? walkedExperiments(walk, which, order, offset + window.limit)
    : sql`(${sql.raw(ALL_EXPERIMENTS)}) r where ${which}`;
  const found = await drizzle(db).all<Row>(
    sql`select * from ${rows} order by ${order} limit ${window.limit} offset ${offset}`,
  );
  return found.map(readExperiment);
}

/** Of the rows that were made at the same time those behind it, and all that come after: as a range in the index. */
function behind({ terms }: Search, { by, id }: Place): SQL {
  const isDown = (term: Search["terms"][number] | undefined) => term === undefined || term.descending;
  const further = sql.raw(terms[0]?.descending ? "<" : ">");
  const beyond = sql.raw(isDown(terms[1]) ? "<" : ">");
  return sql`r.createdTime ${further}= ${by}
    and (r.createdTime ${further} ${by} or cast(r.id as integer) ${beyond} cast(${id} as integer))`;
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
