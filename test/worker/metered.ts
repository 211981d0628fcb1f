/** What statements cost, by D1's own `meta`. */
export class Meter {
  statements = 0;
  roundTrips = 0;
  rowsRead = 0;
  rowsWritten = 0;
  /** How long the database was at it, as it says itself. */
  sqlMs = 0;
  readonly #readBy = new Map<string, number>();
  readonly #writtenBy = new Map<string, number>();

  count(sql: string, { meta }: { meta: D1Meta }): void {
    this.statements++;
    this.rowsRead += meta.rows_read;
    this.rowsWritten += meta.rows_written;
    this.sqlMs += meta.timings?.sql_duration_ms ?? meta.duration;
    this.#readBy.set(sql, (this.#readBy.get(sql) ?? 0) + meta.rows_read);
    this.#writtenBy.set(sql, (this.#writtenBy.get(sql) ?? 0) + meta.rows_written);
  }

  /** The most rows that one statement has read, all its runs together. */
  get most(): number {
    return Math.max(0, ...this.#readBy.values());
  }

  /** The statements that read most, for a message. */
  worst(): string {
    return most(this.#readBy);
  }

  /** The statements that wrote most, for a message. */
  dearest(): string {
    return most(this.#writtenBy);
  }
}

function most(rowsBy: ReadonlyMap<string, number>): string {
  return [...rowsBy]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([sql, rows]) => `${rows} rows: ${sql.replace(/\s+/g, " ").trim()}`)
    .join("\n");
}

/** The database with a meter on it: every statement is counted, whichever way it is run. */
export function metered(real: D1Database): { db: D1Database; meter: Meter } {
  const meter = new Meter();
  const inner = new WeakMap<D1PreparedStatement, { statement: D1PreparedStatement; sql: string }>();
  const wrap = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const all = async <T>() => {
      meter.roundTrips++;
      const result = await statement.all<T>();
      meter.count(sql, result);
      return result;
    };
    const wrapped: D1PreparedStatement = {
      bind: (...values) => wrap(statement.bind(...values), sql),
      all,
      run: all,
      async first<T>(column?: string): Promise<T | null> {
        const [row] = (await all<Record<string, T>>()).results;
        if (row === undefined) return null;
        return column === undefined ? (row as T) : (row[column] ?? null);
      },
      async raw<T = unknown[]>(): Promise<[string[], ...T[]] & T[]> {
        const read = /^\s*(select|with)\b/i.test(sql);
        // `raw` has no meta. A read may be run again for it; what writes gives rows of one table, without double names.
        const { results } = await all<Record<string, unknown>>();
        const rows = read ? await statement.raw<T>() : results.map((row) => Object.values(row) as T);
        return rows as [string[], ...T[]] & T[];
      },
    };
    inner.set(wrapped, { statement, sql });
    return wrapped;
  };
  const db: D1Database = {
    prepare: (sql) => wrap(real.prepare(sql), sql),
    async batch<T>(statements: D1PreparedStatement[]) {
      meter.roundTrips++;
      const parts = statements.map((statement) => {
        const part = inner.get(statement);
        if (!part) throw new Error("a statement of another database");
        return part;
      });
      const results = await real.batch<T>(parts.map(({ statement }) => statement));
      for (const [i, result] of results.entries()) meter.count(parts[i]?.sql ?? "", result);
      return results;
    },
    exec: (sql) => real.exec(sql),
    withSession: (constraint) => real.withSession(constraint),
    dump: () => real.dump(),
  };
  return { db, meter };
}
