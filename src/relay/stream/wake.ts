import { waitingForBreaker } from "../../store/delivery/streams.ts";
import type { Deps } from "../deps.ts";
import { pokeAll } from "../messages.ts";

const MAX_WOKEN = 2_000;
const FIRST_GROUP = 4;

/**
 * Slow start after an outage: a few of the waiting trials at once, twice as many each second after. What is beyond
 * the bound is found by the cron.
 */
export async function wake(deps: Pick<Deps, "db" | "trials" | "log">): Promise<number> {
  const ids = await waitingForBreaker(deps.db, MAX_WOKEN);
  for (let second = 0, from = 0, size = FIRST_GROUP; from < ids.length; second++, from += size, size *= 2)
    await pokeAll(deps, ids.slice(from, from + size), second);
  deps.log.info("waiting trials woken", { trials: ids.length });
  return ids.length;
}
