import { type SQL, sql } from "drizzle-orm";
import { heldBy } from "../sql.ts";
import type { Lease } from "../stream/leases.ts";

/** A dataset of a run: the digest of what it is known by, and its JSON with that of its use. */
export type KeptInput = { digest: string; body: string };

/** `isTheirs`: MLflow had it first. */
export type SaidInput = KeptInput & { isTheirs: boolean };

/** SQL: keeps datasets of a stream with an event of it, if that was kept. `?1` is rows of digest, body and whether MLflow has it. */
export const KEEP_INPUTS = `
  insert into gateway_inputs (stream_id, digest, body, is_delivered)
  select s.id, said.value ->> 0, said.value ->> 1, said.value ->> 2
  from json_each(?1) said join streams s on s.key = ?2 join events e on e.stream_id = s.id and e.event_id = ?3
  where true on conflict do nothing`;

/** The datasets of a run, as its clients said them. */
export async function readInputs(db: D1Database, streamId: number): Promise<string[]> {
  const query = "select body from gateway_inputs where stream_id = ?1 order by rowid";
  const { results } = await db.prepare(query).bind(streamId).all<{ body: string }>();
  return results.map(({ body }) => body);
}

/** The name, digest or context of each data set that a stream was given, in a column `value`. */
export function saidDatasets(streamId: SQL, field: string): SQL {
  const value =
    field === "context"
      ? "(select t.value ->> 'value' from json_each(i.body, '$.tags') t where t.value ->> 'key' = 'mlflow.data.context')"
      : `i.body ->> '$.dataset.${field}'`;
  return sql`select ${sql.raw(value)} as value from gateway_inputs i where i.stream_id = ${streamId}`;
}

/** The next of them that MLflow has not heard of; null when it has them all. */
export function nextInput(db: D1Database, streamId: number): Promise<KeptInput | null> {
  return db
    .prepare(
      "select digest, body from gateway_inputs where stream_id = ?1 and not is_delivered order by rowid limit 1",
    )
    .bind(streamId)
    .first<KeptInput>();
}

/** Notes that MLflow has it. */
export async function markInput(db: D1Database, { streamId, token }: Lease, digest: string): Promise<void> {
  await db
    .prepare(
      `update gateway_inputs set is_delivered = 1 where stream_id = ?1 and digest = ?3 and ${heldBy(1, 2)}`,
    )
    .bind(streamId, token, digest)
    .run();
}
