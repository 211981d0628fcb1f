import { behindStreams } from "../../store/delivery/streams.ts";
import type { Deps } from "../deps.ts";
import { pokeAll } from "../messages.ts";

const MAX_POKED = 5_000;
const PAGE = 500;
/** What is due only after this is left to the next pass. */
const HORIZON_MS = 5 * 60_000;

/** Pokes what is behind, each trial when whatever is still under way for it must have shown itself; how many. */
export async function pokeBehind(deps: Deps): Promise<number> {
  const deliver = !deps.config.enabled ? "none" : deps.config.autoSync ? "all" : "forced";
  let afterId = 0;
  let poked = 0;
  while (poked < MAX_POKED) {
    const page = await behindStreams(deps.db, deps.now(), { afterId, limit: PAGE, deliver });
    const due = page.filter((stream) => stream.dueInMs < HORIZON_MS);
    const bySecond = Map.groupBy(due, (stream) => Math.ceil(stream.dueInMs / 1000));
    for (const [second, streams] of bySecond)
      await pokeAll(
        deps,
        streams.map((stream) => stream.id),
        second,
      );
    poked += due.length;
    const last = page.at(-1);
    if (!last || page.length < PAGE) break;
    afterId = last.id;
  }
  return poked;
}
