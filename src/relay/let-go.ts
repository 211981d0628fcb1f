import { type Lease, release } from "../store/leases.ts";
import type { streams } from "../store/schema.ts";
import type { Deps } from "./deps.ts";
import { sendPokes } from "./ingest.ts";

/** Gives back a lease that was taken for something else than delivery; what came meanwhile gets its poke. */
export async function letGo(
  deps: Pick<Deps, "db" | "trials" | "config" | "now" | "log">,
  lease: Lease,
  values: Partial<typeof streams.$inferInsert>,
): Promise<void> {
  const released = await release(deps.db, lease, values, deps.now());
  if (released?.pokeNeeded) await sendPokes(deps, [{ streamId: lease.streamId, urgent: false }]);
}
