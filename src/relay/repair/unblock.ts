import { wakeTrialsOf } from "../../store/delivery/blocked.ts";
import { type Claim, claim } from "../../store/stream/claims.ts";
import { poll } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { sendPokes } from "../queues.ts";
import { clearDoubt } from "../stream/fence.ts";
import { leaseMs } from "../stream/held-stream.ts";
import { Turn } from "../stream/turn.ts";
import { letGo } from "../stream/under-lease.ts";
import { applyChange } from "./apply-change.ts";
import type { UnblockAction, Unblocked } from "./changes.ts";
import { lostRun, planUnblock } from "./plan-unblock.ts";

/** So long an operator waits for a stream that is in other hands before hearing that it is. */
const POLLS = 20;
const POLL_MS = 250;

const NOT_BLOCKED: Unblocked = { kind: "refused", detail: "It is not blocked." };

/**
 * Gets a trial or model run going again that is blocked, or whose run MLflow has lost; or puts a blocked one aside. It looks
 * first, so that a dry run says what would be done and nothing is begun that cannot be ended.
 */
export async function unblock(
  deps: Deps,
  streamId: number,
  action: UnblockAction,
  dryRun: boolean,
): Promise<Unblocked> {
  const claimed = await claimSoon(deps, streamId);
  if (claimed?.kind !== "claimed") return { kind: "later", detail: "Another turn has it in hand just now." };
  const turn = new Turn(deps, claimed.lease, claimed.stream, { claimedAt: claimed.claimedAt, seats: null });
  const unblocked = await decideAndLetGo(turn, action, dryRun);
  if (unblocked.kind !== "done" || dryRun) return unblocked;
  const { kind, modelRunId } = claimed.stream;
  const waiting = kind === "model_run" && modelRunId !== null ? await wakeTrialsOf(deps.db, modelRunId) : [];
  await sendPokes(
    deps,
    [streamId, ...waiting].map((id) => ({ streamId: id, urgent: true })),
  );
  return unblocked;
}

/** A blocked stream is still tried now and then, by the cron and by its trials: that is over in a moment. */
async function claimSoon(deps: Deps, streamId: number): Promise<(Claim & { claimedAt: number }) | null> {
  return poll(
    POLLS,
    () => POLL_MS,
    async () => {
      const claimedAt = deps.now();
      const claimed = await claim(deps.db, streamId, leaseMs(deps.config.mlflow.timeoutMs));
      return claimed.kind === "busy" ? null : { ...claimed, claimedAt };
    },
  );
}

async function decideAndLetGo(turn: Turn, action: UnblockAction, dryRun: boolean): Promise<Unblocked> {
  try {
    return await decide(turn, action, dryRun);
  } finally {
    turn.takeBack();
    await letGo(turn.deps, turn.lease, turn.fence);
  }
}

async function decide(turn: Turn, action: UnblockAction, dryRun: boolean): Promise<Unblocked> {
  const { blockedKind, blockedOn, blockedReason } = turn.stream;
  if (blockedKind === null && action === "forget") return NOT_BLOCKED;
  const free = await clearDoubt(turn);
  if (!free.ok)
    return { kind: "later", detail: "A call to MLflow went unanswered, and may still take effect." };
  const known =
    blockedKind === null
      ? await lostRun(turn)
      : { block: { kind: blockedKind, on: blockedOn, reason: blockedReason ?? blockedKind } };
  if (!("block" in known)) return known;
  const { block } = known;
  if (block === null) return NOT_BLOCKED;
  const plan = await planUnblock(turn, action);
  if (!("changes" in plan)) return plan;
  for (const change of dryRun ? [] : plan.changes) {
    const problem = await applyChange(turn, change, block);
    if (problem !== null) return { kind: "later", detail: problem };
  }
  return { kind: "done", block, ...plan };
}
