/** The latest runs that the relay made and that are active as far as it knows. */
export async function ownRuns(db: D1Database, most: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select r.mlflow_run_id as id from mlflow_runs r join streams s on s.id = r.stream_id
       where r.lifecycle_stage = 'active' and s.adopted = 0 and s.blocked_kind is null
       order by r.rowid desc limit ?1`,
    )
    .bind(most)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}
