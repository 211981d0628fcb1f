import type { JournalEvent } from "../domain/types.ts";
import type { Warning } from "../domain/warnings.ts";
import { errorText } from "../log.ts";
import { outweighedEnds } from "../store/standing.ts";
import type { Deps } from "./deps.ts";

/** More ends than this are in few requests; the ledger says the same. */
const MAX_ENDS = 500;

/**
 * What is to be said at once of events that were just journalled: that an end changes nothing, because something later
 * stands. It is a courtesy, paid for by requests with ends only; the fold says it in the ledger in any case.
 * @returns the warnings about an event
 */
export async function sayOutweighed(
  deps: Pick<Deps, "db" | "log">,
  events: readonly JournalEvent[],
): Promise<(event: JournalEvent) => Warning[]> {
  const ends = events.filter(({ facts }) => facts?.ends !== undefined).slice(0, MAX_ENDS);
  if (ends.length === 0) return () => [];
  try {
    const said = await outweighedEnds(deps.db, ends);
    return ({ stream, id }) => said.get(stream.key)?.get(id) ?? [];
  } catch (error) {
    deps.log.warn("it was not found out whether ends stand", { error: errorText(error) });
    return () => [];
  }
}
