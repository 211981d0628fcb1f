import { isOutOfStatements } from "../../store/database/budget.ts";
import { isLasting, reasonOf } from "../../store/stream/lasting.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { backoffMs } from "../line/backoff.ts";
import type { End } from "./turn.ts";

/** What may pass is tried so often before it counts as lasting. */
const MAX_TRIES = 10;

/** What the relay was at when it failed over a stream. */
export type Stage = "folding" | "delivery";

/**
 * How a turn ends in which the relay itself failed: a stream that it cannot read, plan or fold is blocked, so that it is
 * seen and holds nobody else up. What may pass is tried again first.
 */
export function endAfterThrow(deps: Deps, stream: StreamRow, stage: Stage, error: unknown): End {
  if (isOutOfStatements(error)) return { kind: "more" };
  const text = reasonOf(error);
  deps.log.error("a stream failed in the relay itself", { stream: stream.key, stage, error: text });
  if (isLasting(error) || stream.attempts >= MAX_TRIES)
    return {
      kind: "blocked",
      block: { kind: "unreadable", on: stage, reason: `unreadable: ${stage} failed: ${text}` },
    };
  return {
    kind: "wait",
    for: "retry",
    ms: backoffMs(stream.attempts, deps.config.retry, deps.random),
    error: text,
  };
}
