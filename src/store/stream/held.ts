/**
 * The condition that the lease is held, for SQL text.
 * @param stream the number under which the stream's id is bound, `token` that of the lease's token
 */
export function heldBy(stream: number, token: number): string {
  return `exists (select 1 from streams where id = ?${stream} and lease_token = ?${token})`;
}
