import type { streams } from "../../store/schema.ts";
import { type Lease, release } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { sendPokes } from "../intake/ingest.ts";

/** Gives back a lease that was taken for something else than delivery; what came meanwhile gets its poke. */
export async function letGo(
  deps: Pick<Deps, "db" | "trials" | "config" | "now" | "log">,
  lease: Lease,
  values: Partial<typeof streams.$inferInsert>,
): Promise<void> {
  const released = await release(deps.db, lease, values, deps.now());
  // Whoever came for it meanwhile found it busy and left, even if nothing was left to fold. Where the answer was lost
  // nobody knows.
  if (released === null || released.stream.deliveredSeq < released.stream.lastSeq)
    await sendPokes(deps, [{ streamId: lease.streamId, urgent: false }]);
}
