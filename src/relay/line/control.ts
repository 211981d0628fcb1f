import type { Failure } from "../../mlflow/failure.ts";
import { ownRuns } from "../../store/delivery/own-runs.ts";
import type { Deps } from "../deps.ts";

/** A tag of the relay's own, like those that every run of ours carries anyway: neither merged nor verified. */
export const CONTROL_TAG = "relay.control";
/** A run that was deleted meanwhile tells nothing of the server. */
export const MAX_CONTROL_RUNS = 3;

/** What a control write has as its value: MLflow writes nothing where a tag's value does not change. */
export function controlValue(now: number): string {
  return `${new Date(now).toISOString()} ${crypto.randomUUID().slice(0, 8)}`;
}

/** `taken`: MLflow wrote. `untold`: there was nothing of ours to write to. */
export type Control = { kind: "taken" } | { kind: "untold" } | { kind: "failed"; failure: Failure };

/**
 * Whether the server writes at all: one that is read only after a failover, or in the middle of a migration, still
 * answers what is read. Sets a tag on a run that the relay has made; it makes, restores and moves nothing, and whenever
 * it lands it is true.
 */
export async function writesAtAll({
  db,
  direct,
  now,
}: Pick<Deps, "db" | "direct" | "now">): Promise<Control> {
  for (const runId of await ownRuns(db, MAX_CONTROL_RUNS)) {
    const set = await direct.setTag({ runId, key: CONTROL_TAG, value: controlValue(now()) });
    // Lost against another writer: the database took that one's.
    if (set.ok || set.failure.kind === "duplicate") return { kind: "taken" };
    if (set.failure.kind !== "gone" && set.failure.kind !== "missing")
      return { kind: "failed", failure: set.failure };
  }
  return { kind: "untold" };
}
