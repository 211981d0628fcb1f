/** Counts that only grow. A name carries its labels as Prometheus writes them: `relay_mlflow_calls_total{outcome="ok"}`. */
export type Counts = Record<string, number>;

/** Adds to the counters in one statement; nothing to add is no statement. */
export function countStatement(db: D1Database, counts: Counts): D1PreparedStatement[] {
  const rows = Object.entries(counts).filter(([, by]) => by !== 0);
  if (rows.length === 0) return [];
  return [
    db
      .prepare(
        `insert into counters (name, value) select value ->> 0, value ->> 1 from json_each(?1) where true
         on conflict (name) do update set value = value + excluded.value`,
      )
      .bind(JSON.stringify(rows)),
  ];
}

/** Adds to the counters. */
export async function count(db: D1Database, counts: Counts): Promise<void> {
  const statements = countStatement(db, counts);
  if (statements.length > 0) await db.batch(statements);
}

/** All counters, by name. */
export async function readCounters(db: D1Database): Promise<Counts> {
  const { results } = await db
    .prepare("select name, value from counters order by name")
    .all<{ name: string; value: number }>();
  return Object.fromEntries(results.map((row) => [row.name, row.value]));
}
