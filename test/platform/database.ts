import { DurableObject } from "cloudflare:workers";

/**
 * The database of the worker tests: what Miniflare's D1 does with a request, on the same SQLite of the same runtime and
 * with the same answers (`test-database.test.ts` compares them), without what it does around it. There each round trip
 * goes by way of two workers and their HTTP, is judged by zod, and has four more questions asked around each statement,
 * which takes several times what the statements themselves do.
 */

type Value = string | number | null | number[];
type Query = { sql: string; params?: Value[] | null };
type Cell = SqlStorageValue | number[];

/** What SQLite says of what was changed, which each statement's answer compares with what it said before. */
type Said = { changes: number; lastRowId: number; size: number };

const SAID = "select total_changes() as changes, last_insert_rowid() as lastRowId";

/** What only reads changes nothing. */
const READS = /^\s*(select|with)\b/i;
const WRITES = /\b(insert|update|delete|replace)\b/i;

export class TestDatabase extends DurableObject {
  readonly #sql = this.ctx.storage.sql;
  #said: Said | undefined;

  /**
   * Answers what D1's client asks, all of it or nothing.
   * @param body the statements as the client words them, one or a list
   * @param areRows whether it wants columns and rows, or objects
   */
  async query(body: string, areRows: boolean): Promise<string> {
    const asked: Query | Query[] = JSON.parse(body);
    const queries = [asked].flat().filter(({ sql }) => sql.replace(/^\s+--.*/gm, "").trim() !== "");
    try {
      if (queries.length === 0) throw new Error("No SQL statements detected.");
      const answers = await this.ctx.storage.transaction(async () =>
        queries.map((one) => this.#run(one, areRows)),
      );
      return JSON.stringify(answers);
    } catch (e) {
      // What was rolled back is not as it was said.
      this.#said = undefined;
      return JSON.stringify({ success: false, error: e instanceof Error ? e.message : String(e) });
    }
  }

  #run({ sql, params }: Query, areRows: boolean) {
    const isRead = READS.test(sql) && !WRITES.test(sql);
    const before = this.#said ?? this.#ask();
    const cursor = this.#sql.exec(sql, ...(params ?? []).map(asBytes));
    const columns = cursor.columnNames;
    const rows = [...cursor.raw()].map(asCells);
    const after = isRead ? before : this.#ask();
    this.#said = after;
    const changes = after.changes - before.changes;
    return {
      success: true,
      results: areRows ? { columns, rows } : rows.map((row) => asObject(columns, row)),
      meta: {
        served_by: "miniflare.db",
        served_by_primary: true,
        total_attempts: 1,
        timings: { sql_duration_ms: 0 },
        duration: 0,
        changes,
        last_row_id: after.lastRowId,
        changed_db: changes !== 0 || after.lastRowId !== before.lastRowId || after.size !== before.size,
        size_after: after.size,
        rows_read: cursor.rowsRead,
        rows_written: cursor.rowsWritten,
      },
    };
  }

  #ask(): Said {
    const said = this.#sql.exec<Omit<Said, "size">>(SAID).one();
    return { ...said, size: this.#sql.databaseSize };
  }
}

/** An array is bytes, as the client sends them. */
function asBytes(value: Value): SqlStorageValue {
  return Array.isArray(value) ? new Uint8Array(value).buffer : value;
}

function asCells(row: SqlStorageValue[]): Cell[] {
  return row.map((value) => (value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value));
}

function asObject(columns: readonly string[], row: readonly Cell[]): Record<string, Cell | undefined> {
  return Object.fromEntries(columns.map((name, i) => [name, row[i]]));
}

export default {};
