import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TrialColumns } from "../../answers/trial-table.ts";
import { countIn, inScope, type Sample, type TableScope } from "./table-scope.ts";

/** More than anybody looks through; those that most trials have come first. */
const MAX_COLUMNS = 5_000;

type Row = { kind: TrialColumns["columns"][number]["kind"]; key: string; trials: number; same: 0 | 1 };

/** The parameters, tags and metrics that trials have, those of most trials first. */
export async function readColumns(db: D1Database, scope: TableScope | Sample): Promise<TrialColumns> {
  const which = inScope(scope);
  const orm = drizzle(db);
  const [counted, rows] = await Promise.all([
    orm.get<{ total: number }>(sql`select ${countIn(scope)} as total`),
    orm.all<Row>(sql`
      select * from (
        select 'params' as kind, x.key as key, count(*) as trials, min(x.value) is max(x.value) as same
        from trials t cross join params x on x.stream_id = t.id where ${which} group by x.key
        union all
        select 'metrics', x.key, count(*), min(x.last) is max(x.last)
        from trials t cross join metric_summaries x on x.stream_id = t.id where ${which} group by x.key
        union all
        select 'tags', x.key, count(*), min(x.value) is max(x.value)
        from trials t cross join tags x on x.stream_id = t.id where ${which} and x.removed_at is null group by x.key)
      order by trials desc, kind, key limit ${MAX_COLUMNS + 1}`),
  ]);
  const total = counted?.total ?? 0;
  return {
    trials: total,
    columns: rows.slice(0, MAX_COLUMNS).map(({ kind, key, trials, same }) => ({
      kind,
      key,
      trials,
      differs: trials < total || same === 0,
    })),
    more: rows.length > MAX_COLUMNS,
  };
}
