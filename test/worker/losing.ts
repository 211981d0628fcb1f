import { env } from "cloudflare:workers";
import { databaseAround } from "../../src/store/database/around.ts";

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
  const lost = () => new Error("D1_ERROR: Network connection lost.");
  const db = databaseAround(env.DB, async (parts, work) => {
    const isIt = parts.some(({ sql }) => among.test(sql)) && isLost(n++);
    if (isIt) losses++;
    if (isIt && when === "before") throw lost();
    const result = await work();
    if (isIt) throw lost();
    return result;
  });
  return { db, losses: () => losses };
}
