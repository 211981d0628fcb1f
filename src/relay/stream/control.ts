import { CONTROL_TAG, type Control, controlValue } from "../line/control.ts";
import type { Turn } from "./turn.ts";

/** So many items are set aside on the strength of one control write; then the server is asked again. */
const MAX_SET_ASIDE = 5;

/**
 * Whether the server takes a write to this run by the very call that it refused: then the refusal is about what was
 * sent. One control is good for a handful of items.
 */
export async function control(
  turn: Turn,
  runId: string,
  how: "trusting" | "afresh",
): Promise<Exclude<Control, { kind: "untold" }> | { kind: "lost" }> {
  if (how === "trusting" && turn.trust > 0) return { kind: "taken" };
  const tags = [{ key: CONTROL_TAG, value: controlValue(turn.deps.now()) }];
  const taken = await turn.write({ call: "runs/log-batch" }, (mlflow) =>
    mlflow.logBatch({ runId, metrics: [], params: [], tags }),
  );
  // Lost against a probe of the breaker: the database took that one's.
  if (taken.ok || taken.failure?.kind === "duplicate") {
    turn.trust = MAX_SET_ASIDE;
    return { kind: "taken" };
  }
  turn.trust = 0;
  return taken.failure === null ? { kind: "lost" } : { kind: "failed", failure: taken.failure };
}
