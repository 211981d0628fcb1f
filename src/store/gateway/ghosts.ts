/** How far apart a request and the one that was sent again for it may be. */
const TWIN_MS = 600_000;

/**
 * SQL: whether a run that nobody used is the ghost of a request whose answer was lost: the same was asked for again, and
 * that run is used.
 * @param run the alias of its row in `gateway_runs`
 */
export function isGhost(run: string): string {
  return `(${run}.touched_at is null and ${run}.create_hash is not null and exists (
    select 1 from gateway_runs twin where twin.create_hash = ${run}.create_hash and twin.stream_id <> ${run}.stream_id
      and twin.touched_at is not null and abs(twin.created_at - ${run}.created_at) <= ${TWIN_MS}))`;
}
