import { env } from "cloudflare:workers";

type Lost = {
  /** By number, of those statements and batches that `among` is about. */
  isLost: (n: number) => boolean;
  /** Whether the connection is lost before they took effect, or after. */
  when: "before" | "after";
  /** A text that one of the statements has; all are meant where there is none. */
  among?: RegExp;
};

/** The database, which loses its connection at some statements or batches. */
export function losing({ isLost, when, among = /(?:)/ }: Lost) {
  let n = 0;
  let losses = 0;
  const known = new WeakMap<D1PreparedStatement, { statement: D1PreparedStatement; sql: string }>();
  const lost = () => new Error("D1_ERROR: Network connection lost.");
  const effect = async <T>(sqls: readonly string[], work: () => Promise<T>): Promise<T> => {
    const isIt = sqls.some((sql) => among.test(sql)) && isLost(n++);
    if (isIt) losses++;
    if (isIt && when === "before") throw lost();
    const result = await work();
    if (isIt) throw lost();
    return result;
  };
  const wrapped = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const outer = new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => wrapped(target.bind(...values), sql);
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => effect([sql], async () => Reflect.apply(member, target, args));
      },
    });
    known.set(outer, { statement, sql });
    return outer;
  };
  const db = new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") return (sql: string) => wrapped(target.prepare(sql), sql);
      if (name === "batch")
        return (statements: D1PreparedStatement[]) => {
          const parts = statements.map((one) => known.get(one) ?? { statement: one, sql: "" });
          return effect(
            parts.map(({ sql }) => sql),
            () => target.batch(parts.map(({ statement }) => statement)),
          );
        };
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return { db, losses: () => losses };
}
