import { type Claim, claim } from "../store/leases.ts";
import type { Deps } from "./deps.ts";
import { letGo } from "./let-go.ts";
import { leaseMs, Turn } from "./turn.ts";

/**
 * Does something else than delivery with a stream, under its lease. It takes no place of delivery's: there is one pull
 * at a time.
 * @param unclaimed what it comes to where the lease cannot be had
 */
export async function underLease<T>(
  deps: Deps,
  streamId: number,
  unclaimed: (claim: Exclude<Claim, { kind: "claimed" }>) => T,
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  const most = Number.MAX_SAFE_INTEGER;
  const claimed = await claim(deps.db, streamId, leaseMs(deps.config.mlflow.timeoutMs), most);
  if (claimed.kind !== "claimed") return unclaimed(claimed);
  try {
    return await work(new Turn(deps, claimed.lease, claimed.stream, false));
  } finally {
    await letGo(deps, claimed.lease, {});
  }
}
