import { sizeOf } from "../../store/database/probe.ts";
import type { Deps } from "../deps.ts";

/** How long a full database is believed to be full before it is measured again. */
const REMEASURE_MS = 10_000;

/** The database's size as this isolate last saw it; free pages do not count. */
let seen = { bytes: 0, at: 0 };

/** Notes the size that came with a result. */
export function noteSize(bytes: number, now: number): void {
  seen = { bytes, at: now };
}

/** Whether the database is past its high-water mark, from which on nothing new is taken. */
export async function isFull({ db, config, now }: Pick<Deps, "db" | "config" | "now">): Promise<boolean> {
  if (seen.bytes <= config.maxDatabaseBytes) return false;
  if (now() - seen.at > REMEASURE_MS) noteSize(await sizeOf(db), now());
  return seen.bytes > config.maxDatabaseBytes;
}
