import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";

/** Which trials are set side by side: a model run's, or some by their public ids. */
export type TableScope = { modelRunId: string } | { keys: readonly string[] };
/** Some of a model run's that stand for the others. */
export type Sample = { modelRunId: string; newest: number };

/** The condition that a trial `t` is one of them. */
export function inScope(scope: TableScope | Sample): SQL {
  if ("newest" in scope)
    return sql`t.id in (
      select id from trials where model_run_id = ${scope.modelRunId} order by id desc limit ${scope.newest})`;
  if ("modelRunId" in scope) return sql`t.model_run_id = ${scope.modelRunId}`;
  return sql`t.key in (select value from json_each(${JSON.stringify(scope.keys)}))`;
}

/** How many there are; of a whole model run they are counted already. */
export function countIn(scope: TableScope | Sample): SQL {
  if ("modelRunId" in scope && !("newest" in scope))
    return sql`coalesce((select running + succeeded + failed + skipped + cancelled from trial_counts
      where model_run_id = ${scope.modelRunId}), 0)`;
  return sql`(select count(*) from trials t where ${inScope(scope)})`;
}

/** A fresh look at all of it once so often, whatever was missed. */
const LONGEST_MS = 3_600_000;

const PRINT = sql`count(*), sum(s.last_seq), sum(s.folded_seq), sum(s.delivered_seq), max(t.updated_at),
  sum(s.blocked_kind is not null), sum(s.waiting_for is not null), sum(s.mlflow_run_id is not null)`;

/**
 * What changes whenever a trial in the scope does, as far as a table shows it; null where there is no such model run.
 * Of a model run only the warm trials are looked at, so that it costs nothing to ask again and again about one that is
 * over: what happens to a trial keeps it warm for some minutes, and a page asks more often.
 */
export async function tableVersion(
  db: D1Database,
  scope: TableScope,
  now: number,
): Promise<unknown[] | null> {
  const period = Math.floor(now / LONGEST_MS);
  if ("keys" in scope) {
    const [print] = await drizzle(db).values(
      sql`select ${PRINT} from trials t join streams s on s.id = t.id where ${inScope(scope)}`,
    );
    return [period, print];
  }
  const [print] = await drizzle(db).values(sql`
    select m.updated_at, c.running, c.succeeded, c.failed, c.skipped, c.cancelled, w.*
    from model_runs m left join trial_counts c on c.model_run_id = m.model_run_id
    cross join (
      select ${PRINT} from streams s left join trials t on t.id = s.id
      where s.warm = 1 and +s.model_run_id = ${scope.modelRunId}) w
    where m.model_run_id = ${scope.modelRunId}`);
  return print === undefined ? null : [period, print];
}
