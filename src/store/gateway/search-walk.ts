import { type SQL, sql } from "drizzle-orm";
import type { LifecycleStage } from "../../domain/words.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Clause } from "../../search/filter.ts";
import type { Search } from "../../search/search.ts";
import { experimentsOf, OUR_COLUMNS, ourRuns, theirColumns, theirRuns } from "./search-columns.ts";
import type { Scope } from "./search-scope.ts";
import { rowSource } from "./search-source.ts";

/**
 * A search of runs in order of their starts, which the indexes have: no more is read than is shown, however many runs an
 * experiment has, unless a filter leaves few.
 */

/**
 * How a page is asked for: rows behind the first, and so many at most; `after` says the same of a list that is in order
 * of a number and then of an id.
 */
export type Window = { offset: number; limit: number; after?: Place | undefined };
export type Place = { by: number; id: string };

/** Conditions stand in the statement of a walk twice, and D1 takes 100 parameters. */
export const MAX_CLAUSES = 10;

/** Whether a search is one. Where MLflow tells no start of a run its own counts, which is in no index. */
export function isWalked({ theirs }: Scope, { clauses, terms }: Search): boolean {
  const [term, ...others] = terms;
  const isByStart =
    term === undefined ||
    (term.subject.entity === "attribute" && term.subject.attribute.name === "start_time");
  const hasStarts = theirs.every((experiment) => experiment.hasStarts === 1);
  return isByStart && others.length === 0 && hasStarts && clauses.length <= MAX_CLAUSES;
}

/**
 * A table `r` of the runs on a page of such a search, and some behind it: of each experiment as many as a page has at most.
 * The mirror has most of the clients' runs as well, where they are passed over: of what started before all of theirs that
 * are on the page nothing is looked at there.
 */
export function walked(
  scope: Scope,
  { clauses, terms }: Search,
  stages: readonly LifecycleStage[],
  { offset, limit, after }: Window,
): SQL {
  const descending = terms[0]?.descending ?? true;
  const direction = sql.raw(descending ? "desc" : "asc");
  const [further, upTo, noEnd] = descending ? ["<", ">=", "-9e999"] : [">", "<=", "9e999"];
  const most = after ? limit : offset + limit;
  const { ours, theirs, plus } = fewOf(scope, clauses, stages);
  const page = sql`lifecycle in (select value from json_each(${JSON.stringify(stages)}))
    and ${conditionOf(clauses, rowSource)}
    and ${after ? behind(after, sql.raw(further)) : sql`true`}
    order by r.start_time ${direction}, r.run_id limit ${most}`;
  const ourPage = (columns: string, experiment: SQL) => sql`
    select ${sql.raw(columns)} from (
      select ${sql.raw(OUR_COLUMNS)} from ${sql.raw(ourRuns(ours.index))} and ${plus}g.experiment_id = ${experiment}
        and ${ours.which}) r
    where ${page}`;
  const [first, ...others] = scope.ours;
  const own =
    first && others.length === 0
      ? ourPage("*", sql`${first.id}`)
      : sql`select ${sql.raw(OUR_COLUMNS)} from ours cross join gateway_runs g
          where g.stream_id in (${ourPage("r.stream_id", sql`ours.id`)})`;
  if (scope.theirs.length === 0) return sql`(with ${experimentsOf(scope)} select * from (${own})) r`;
  const columns = sql.raw(theirColumns("m.start_time"));
  return sql`(
    with ${experimentsOf(scope)},
    own as materialized (${own}),
    last(start) as materialized (
      select start_time from own order by start_time ${direction} limit 1 offset ${most - 1})
    select * from own
    union all
    select ${columns} from theirs cross join ${sql.raw(theirRuns())} and m.rowid in (
      select r.row from (
        select m.rowid as row, ${columns} from ${sql.raw(theirRuns(theirs.index))}
          and ${plus}m.mlflow_experiment_id = theirs.id and ${theirs.which}
          and ${plus}m.start_time ${sql.raw(upTo)} coalesce((select start from last), ${sql.raw(noEnd)})) r
      where ${page})) r`;
}

/** Where a search means few runs that an index has, which of the others are not looked at then. */
function fewOf({ theirs }: Scope, clauses: readonly Clause[], stages: readonly LifecycleStage[]) {
  const all = { index: "", which: sql`true` };
  const few = fewIn(clauses);
  if (few !== null)
    return { ours: { ...all, which: few.ours }, theirs: { ...all, which: few.theirs }, plus: NOT_IN_ORDER };
  if (stages.includes("active")) return { ours: all, theirs: all, plus: sql`` };
  // In an experiment that is deleted all are, whatever the mirror has of each.
  const isEach = theirs.some(({ isDeleted }) => isDeleted === 1);
  return {
    ours: { index: "indexed by gateway_runs_deleted", which: sql`g.lifecycle = 'deleted'` },
    theirs: isEach
      ? all
      : { index: "indexed by mlflow_runs_deleted_in", which: sql`m.lifecycle_stage = 'deleted'` },
    plus: sql``,
  };
}

/** The few that a condition leaves, as the indexes have them; null where none leaves few. */
function fewIn(clauses: readonly Clause[]): { ours: SQL; theirs: SQL } | null {
  const named = clauses.find(isOfNamed);
  if (named) return fewNamed(JSON.stringify([named.value].flat()));
  return clauses.some(isOfOpen) ? { ours: OUR_OPEN, theirs: THEIR_OPEN } : null;
}

/** Before a column, which is not looked up in an index then. */
const NOT_IN_ORDER = sql.raw("+");

/** Of the rows that start at the same time those behind it, and all that start further on: as a range in the index. */
function behind({ by, id }: Place, further: SQL): SQL {
  return sql`r.start_time ${further}= ${by} and (r.start_time ${further} ${by} or r.run_id > ${id})`;
}

function isOfOpen({ subject, comparator, value }: Clause): boolean {
  const isStatus = subject.entity === "attribute" && subject.attribute.name === "status";
  return isStatus && comparator === "=" && (value === "RUNNING" || value === "SCHEDULED");
}

function isOfNamed({ subject, comparator }: Clause): boolean {
  const isId = subject.entity === "attribute" && subject.attribute.name === "run_id";
  return isId && (comparator === "=" || comparator === "IN");
}

/** Those that are not over, by their own index: written out as there, or it would not be used. */
const OUR_OPEN = sql.raw(`g.stream_id in (
  select o.stream_id from gateway_runs o where o.status in ('RUNNING', 'SCHEDULED'))`);

/** By MLflow's word, and by the relay's own of what it has events of. */
const THEIR_OPEN = sql.raw(`m.rowid in (
  select o.rowid from mlflow_runs o where o.status in ('RUNNING', 'SCHEDULED')
  union all
  select o.rowid from trials x join mlflow_runs o on o.stream_id = x.id where x.status = 'running'
  union all
  select o.rowid from model_runs x join mlflow_runs o on o.stream_id = x.id
  where x.state in ('initialized', 'running'))`);

/** By their first ids: a stream's key or MLflow's. @param ids JSON of them */
function fewNamed(ids: string): { ours: SQL; theirs: SQL } {
  const named = sql`(select value from json_each(${ids}))`;
  return {
    ours: sql`g.stream_id in (
      select o.id from streams o where o.key in ${named} union all
      select o.id from streams o where o.mlflow_run_id in ${named})`,
    theirs: sql`m.rowid in (
      select o.rowid from mlflow_runs o where o.mlflow_run_id in ${named} union all
      select o.rowid from streams x join mlflow_runs o on o.stream_id = x.id where x.key in ${named})`,
  };
}
