import { drizzle } from "drizzle-orm/d1";
import { PARENT_TAG } from "../../mlflow/tags.ts";
import type { Clause } from "../../search/filter.ts";
import { Bound } from "../sql.ts";
import { behind } from "../stream/warm.ts";

type Unfolded = { id: number; kind: "trial" | "model_run"; foldedSeq: number };

/** What the ids in a search of runs stand for, whichever of their names they are. */
export type Scope = {
  /** The relay's experiments. */
  ours: { id: string }[];
  /**
   * MLflow's, each with the id that was given first. `isPartial`: it may have runs there that the relay cannot know;
   * `hasStarts`: of each that is known it is known when it started.
   */
  theirs: { id: string; firstId: string; isDeleted: 0 | 1; isPartial: 0 | 1; hasStarts: 0 | 1 }[];
  /** The first id of each run that was asked for by another. */
  firstIds: ReadonlyMap<string, string>;
  /** Streams of these experiments whose rows are behind their journals. */
  unfolded: Unfolded[];
};

/** An experiment that is so much older in MLflow than here was not made by the relay, whatever the two clocks say. */
const OLDER_MS = 60_000;

/**
 * Looks up what a search is about.
 * @param experimentIds the relay's or MLflow's
 * @param mostUnfolded so many of the streams that are behind, at most
 */
export async function scopeOf(
  db: D1Database,
  experimentIds: readonly string[],
  clauses: readonly Clause[],
  mostUnfolded: number,
): Promise<Scope> {
  const asked = JSON.stringify(experimentIds);
  const runs = JSON.stringify(clauses.filter(namesRuns).flatMap(({ value }) => value ?? []));
  const [ours, theirs, first, unfolded] = await drizzle(db).batch([
    new Bound<Scope["ours"][number]>(db, OURS, asked),
    new Bound<Scope["theirs"][number]>(db, THEIRS, asked, OLDER_MS),
    new Bound<{ given: string; firstId: string }>(db, FIRST_IDS, runs),
    new Bound<Unfolded>(db, UNFOLDED, asked, mostUnfolded),
  ]);
  return {
    ours: ours.results,
    theirs: theirs.results,
    firstIds: new Map(first.results.map(({ given, firstId }) => [given, firstId])),
    unfolded: unfolded.results,
  };
}

/** The clauses with runs named by their first ids, as they are shown. */
export function withFirstIds(clauses: readonly Clause[], firstIds: Scope["firstIds"]): Clause[] {
  const first = (id: string) => firstIds.get(id) ?? id;
  return clauses.map((clause) => {
    const { value } = clause;
    if (!namesRuns(clause) || value === null || typeof value === "number") return clause;
    return { ...clause, value: typeof value === "string" ? first(value) : value.map(first) };
  });
}

/** Runs are named by their own ids, and by their parents'. */
function namesRuns({ subject: { entity, key }, comparator }: Clause): boolean {
  const isId = entity === "attribute" ? key === "run_id" : entity === "tag" && key === PARENT_TAG;
  return isId && ["=", "!=", "IN", "NOT IN"].includes(comparator);
}

/** What was made here and is not in MLflow yet is none of MLflow's. */
const ASKED = `
  with asked(id) as (select value from json_each(?1)),
  theirs(id) as (
    select id from asked where not exists (select 1 from gateway_experiments g where g.id = asked.id)
    union
    select g.mlflow_experiment_id from asked join gateway_experiments g on g.id = asked.id
    where g.mlflow_experiment_id is not null),
  ours(id) as (
    select g.id from asked join gateway_experiments g on g.id = asked.id
    union
    select g.id from theirs join gateway_experiments g on g.mlflow_experiment_id = theirs.id)`;

const OURS = `${ASKED} select id from ours`;

const THEIRS = `${ASKED}
  select t.id, coalesce(g.id, t.id) as firstId, coalesce(g.lifecycle, m.lifecycle_stage) is 'deleted' as isDeleted,
    m.pulled_at is null
      and coalesce(g.id is null or g.id = t.id or m.created_time < g.created_time - ?2, 0) as isPartial,
    not exists (select 1 from mlflow_runs r where r.mlflow_experiment_id = t.id and r.start_time is null) as hasStarts
  from theirs t left join mlflow_experiments m on m.mlflow_experiment_id = t.id
  left join gateway_experiments g on g.id = (
    select x.id from gateway_experiments x where x.mlflow_experiment_id = t.id order by x.created_time limit 1)`;

/** A stream's first id: one that a client was given, or a trial's key, before MLflow's of a run that was adopted. */
export const FIRST_ID = "coalesce(g.run_id, iif(s.adopted, s.mlflow_run_id, s.key))";

const FIRST_IDS = `
  select given.value as given, ${FIRST_ID} as firstId
  from json_each(?1) given
  join streams s on s.id in (
    select id from streams where key = given.value union select id from streams where mlflow_run_id = given.value)
  left join gateway_runs g on g.stream_id = s.id`;

const UNFOLDED = `${ASKED}
  select s.id, s.kind, s.folded_seq as foldedSeq
  from streams s left join gateway_runs g on g.stream_id = s.id
  where ${behind("s")} and s.folded_seq < s.last_seq
    and (g.experiment_id in (select id from ours) or s.mlflow_experiment_id in (select id from theirs))
  limit ?2`;
