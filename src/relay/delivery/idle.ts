import { isRetried } from "../../domain/blocked.ts";
import type { StreamRow, StreamValues } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";

/** Whether it waits for somebody to act. */
function isStopped({ blockedKind }: StreamRow): boolean {
  return blockedKind !== null && !isRetried(blockedKind);
}

/** Null when the stream is to be delivered now; else what the row should say of why not. */
export function whyIdle(deps: Deps, stream: StreamRow, breakerOpen: boolean): StreamValues | null {
  const { config, now } = deps;
  if (stream.deliveredSeq >= stream.lastSeq) return { forced: false, waitingFor: null };
  if (!config.enabled || !(config.autoSync || stream.forced) || isStopped(stream)) return {};
  // A stream that waits for an announcement may just have got it; another has its own poke on the way.
  const isGrace = stream.waitingFor === "grace";
  if (breakerOpen) return { waitingFor: "breaker", ...(isGrace ? { nextAttemptAt: 0 } : {}) };
  return !isGrace && stream.nextAttemptAt > now() ? {} : null;
}
