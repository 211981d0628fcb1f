import type { JournalEvent } from "../../domain/types.ts";
import type { Warning } from "../../domain/warnings.ts";
import { errorText } from "../../log.ts";
import { outweighedBy } from "../../store/journal/standing.ts";
import type { Deps } from "../deps.ts";

/** More starts and ends than this are in few requests; the ledger says the same. */
const MAX_EVENTS = 500;

/**
 * What is to be said at once of events that were just journalled: that they change nothing, because something later
 * stands. It is a courtesy, paid for by requests with starts and ends only, and as far as the trial is folded; the fold
 * says it in the ledger in any case.
 * @returns the warnings about an event
 */
export async function sayOutweighed(
  deps: Pick<Deps, "db" | "log">,
  events: readonly JournalEvent[],
): Promise<(event: JournalEvent) => Warning[]> {
  const asked = events.filter(mayBeOutweighed).slice(0, MAX_EVENTS);
  if (asked.length === 0) return () => [];
  try {
    const said = await outweighedBy(deps.db, asked);
    return ({ stream, id }) => said.get(stream.key)?.get(id) ?? [];
  } catch (error) {
    deps.log.warn("it was not found out what events change", { error: errorText(error) });
    return () => [];
  }
}

/** An end, or a start with a time of its own. */
function mayBeOutweighed({ facts, occurredAt, acceptedAt }: JournalEvent): boolean {
  return facts?.ends !== undefined || (facts?.announces === true && occurredAt !== acceptedAt);
}
