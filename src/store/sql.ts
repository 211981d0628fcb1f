/** The database's clock in epoch milliseconds: leases are compared by one clock, whoever asks. */
export const NOW_MS = "cast(unixepoch('subsec') * 1000 as integer)";

/** D1 takes a parameter of 2 MB; about 1 MB of JSON keeps a statement fast. */
const CHUNK_BYTES = 900_000;

const encoder = new TextEncoder();

/** Rows as JSON texts, each small enough for one statement over `json_each`. */
export function jsonChunks(rows: readonly unknown[]): string[] {
  const chunks: string[] = [];
  let parts: string[] = [];
  let size = 0;
  for (const row of rows) {
    const text = JSON.stringify(row);
    const bytes = encoder.encode(text).length;
    if (size + bytes > CHUNK_BYTES && parts.length > 0) {
      chunks.push(`[${parts.join(",")}]`);
      parts = [];
      size = 0;
    }
    parts.push(text);
    size += bytes + 1;
  }
  if (parts.length > 0) chunks.push(`[${parts.join(",")}]`);
  return chunks;
}

/** A statement for each chunk of rows; `?1` is the JSON. */
export function overRows(
  db: D1Database,
  query: string,
  rows: readonly unknown[],
  ...more: unknown[]
): D1PreparedStatement[] {
  const statement = db.prepare(query);
  return jsonChunks(rows).map((chunk) => statement.bind(chunk, ...more));
}
