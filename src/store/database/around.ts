/** A statement as it is run, alone or as a part of a batch. */
export type Part = { statement: D1PreparedStatement; sql: string; values: readonly unknown[] };

/**
 * What is done around each round trip: `work` makes it.
 * @param parts the one statement, or those of the batch
 */
export type Around = <T>(parts: readonly Part[], work: () => Promise<T>) => Promise<T>;

/**
 * The database with something done around each of its round trips, whichever way it is asked.
 * @param known its statements: databases that are given the same one take each other's
 */
export function databaseAround(
  real: D1Database,
  around: Around,
  known = new WeakMap<D1PreparedStatement, Part>(),
): D1Database {
  const wrapped = (part: Part): D1PreparedStatement => {
    const outer = new Proxy(part.statement, {
      get(target, name) {
        if (name === "bind")
          return (...values: unknown[]) => wrapped({ ...part, statement: target.bind(...values), values });
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => around([part], async () => Reflect.apply(member, target, args));
      },
    });
    known.set(outer, part);
    return outer;
  };
  return new Proxy(real, {
    get(target, name) {
      if (name === "prepare")
        return (sql: string) => wrapped({ statement: target.prepare(sql), sql, values: [] });
      if (name === "batch")
        return (statements: D1PreparedStatement[]) => {
          const parts = statements.map((one) => known.get(one) ?? { statement: one, sql: "", values: [] });
          // D1 looks into the statements of a batch, so it must get its own back.
          return around(parts, () => target.batch(parts.map(({ statement }) => statement)));
        };
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
