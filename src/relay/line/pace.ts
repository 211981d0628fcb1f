import { takePlace } from "../../store/ops/breakers.ts";
import type { Deps } from "../deps.ts";
import { serverOf } from "./breaker.ts";

/**
 * Waits for this call's place in the row, where calls a second are bounded (Databricks takes 47 log-batch calls a
 * second). The row is in D1, so the bound holds for all isolates together; it is short, because so are the turns
 * that may call at once.
 */
export async function pace(deps: Pick<Deps, "db" | "config" | "now">): Promise<void> {
  const { maxCallsPerSecond } = deps.config;
  if (maxCallsPerSecond === 0) return;
  const intervalMs = Math.ceil(1000 / maxCallsPerSecond);
  const waitMs = await takePlace(deps.db, serverOf(deps), intervalMs, deps.now());
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
}
