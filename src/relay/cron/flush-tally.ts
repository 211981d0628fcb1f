import { errorText } from "../../log.ts";
import type { Deps } from "../deps.ts";

/** Writes the counts down; when the database refuses they wait, since nothing else should fail for them. */
export async function flushTally(deps: Pick<Deps, "db" | "tally" | "log">): Promise<void> {
  try {
    await deps.tally.flush(deps.db);
  } catch (error) {
    deps.log.warn("counts wait for the next time", { error: errorText(error) });
  }
}
