import type { QuietStatus } from "../domain/status.ts";
import { silentTrials } from "../store/quiet.ts";
import type { Deps } from "./deps.ts";
import { ingest } from "./ingest.ts";
import { relayEvent } from "./relay-event.ts";

const MAX_FOUND = 500;

const AS: Record<"leave" | "fail" | "kill", QuietStatus> = {
  leave: "left",
  fail: "failed",
  kill: "cancelled",
};

/**
 * Marks trials whose trainer fell silent. The finding is an event of the relay's own in the trial's journal; the
 * trainer's next event outweighs it, whatever order they are folded in.
 * @returns how many were found
 */
export async function findQuiet(deps: Deps): Promise<number> {
  const { afterMs, policy } = deps.config.quiet;
  if (afterMs === 0) return 0;
  const now = deps.now();
  const silent = await silentTrials(deps.db, now - afterMs, MAX_FOUND);
  const found = silent.map((trial) =>
    relayEvent(
      { ...trial, kind: "trial" },
      {
        type: "relay.trial.quiet",
        id: `relay:quiet:${trial.heardAt}`,
        facts: { quiet: { heardAt: trial.heardAt, as: AS[policy] } },
        acceptedAt: now,
        occurredAt: trial.heardAt,
      },
    ),
  );
  if (found.length > 0) await ingest(deps, found);
  return found.length;
}
