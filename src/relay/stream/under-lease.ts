import { type Claim, claim } from "../../store/stream/claims.ts";
import { type Lease, release, type StreamValues } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { type Queues, sendPokes } from "../queues.ts";
import { clearDoubt } from "./fence.ts";
import { leaseMs } from "./held-stream.ts";
import { RETRY_SOON_MS, Turn } from "./turn.ts";

/**
 * With fewer statements left nothing more is begun: a look, a merge or a link, by far most of them, take less. One that
 * takes more is cut short, and is the first to have its turn in the next helping.
 */
export const RUN_STATEMENTS = 100;

/**
 * Does something else than delivery with a stream, under its lease. It takes no place of delivery's: there is one pull
 * at a time.
 * @param unclaimed what it comes to where the lease cannot be had, or a write of the stream may still land
 */
export async function underLease<T>(
  deps: Deps,
  streamId: number,
  unclaimed: (claim: Exclude<Claim, { kind: "claimed" }>) => T,
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  const claimedAt = deps.now();
  const claimed = await claim(deps.db, streamId, leaseMs(deps.config.mlflow.timeoutMs));
  if (claimed.kind !== "claimed") return unclaimed(claimed);
  const turn = new Turn(deps, claimed.lease, claimed.stream, { claimedAt, seats: null });
  try {
    // What may still land is neither side's word yet.
    const free = await clearDoubt(turn);
    if (free.ok) return await work(turn);
    return unclaimed({ kind: "busy", ms: free.end.kind === "wait" ? free.end.ms : RETRY_SOON_MS });
  } finally {
    turn.takeBack();
    await letGo(deps, claimed.lease, turn.fence);
  }
}

/** Gives back a lease that was taken for something else than delivery; what came meanwhile gets its poke. */
export async function letGo(
  deps: Pick<Deps, "db" | keyof Queues | "config" | "now" | "log">,
  lease: Lease,
  values: StreamValues,
): Promise<void> {
  const released = await release(deps.db, lease, values, deps.now());
  // Whoever came for it meanwhile found it busy and left, even if nothing was left to fold. What is not folded came with
  // a poke of its own, or needs one. Where the answer was lost nobody knows.
  if (released === null || released.pokeNeeded || released.stream.deliveredSeq < released.stream.foldedSeq)
    await sendPokes(deps, [{ streamId: lease.streamId, urgent: false }]);
}
