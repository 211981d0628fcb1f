import { toRecord } from "../../domain/pairs.ts";
import { type Failure, isAway } from "../../mlflow/failure.ts";
import type { Experiment } from "../../mlflow/types.ts";
import { whileHeld } from "../../store/database/leased-row.ts";
import {
  type ClaimedExperiment,
  claimExperiment,
  releaseBehind,
  releaseBrought,
  type SeenExperiment,
  type SentExperiment,
} from "../../store/gateway/behind.ts";
import { mirrorExperiment } from "../../store/mirror/experiments.ts";
import type { Deps } from "../deps.ts";
import { retryMs } from "../line/retry-after.ts";
import { experimentMessage } from "../messages.ts";
import { sendPokes, tryEnqueue } from "../queues.ts";
import { leaseMs } from "../stream/held-stream.ts";
import { Bringing, type Part } from "./bringing.ts";
import { type Change, changesTo } from "./experiment-changes.ts";
import { nameTaken } from "./experiment-name.ts";
import { placeOf } from "./experiment-place.ts";
import { notYet } from "./not-yet.ts";

/** Runs in it are still on their way. */
const BUSY_MS = 2_000;

/** What came of it. `failure`: what MLflow said, where it did; `isHeld`: it goes on once MLflow is back. */
export type Brought =
  | { kind: "brought" }
  /** There is nothing to bring, or it is not due, or another has it in hand. */
  | { kind: "left" }
  | { kind: "behind"; failure: Failure | null; error: string; isHeld: boolean; ms: number };

/**
 * Brings an experiment of MLflow's clients to MLflow as it is now: made where it is not there, or joined with the one that
 * has its name; then its name, its tags, and whether it is deleted. Every call sets what is wanted, so that it may be done
 * again.
 * @param how.isDue whether it is tried though it was to wait, since a run is to be made in it now
 */
export async function deliverExperiment(deps: Deps, id: string, how = { isDue: false }): Promise<Brought> {
  const { db, config, now } = deps;
  if (!config.enabled || !(config.autoSync || how.isDue)) return { kind: "left" };
  const ms = leaseMs(config.mlflow.timeoutMs);
  const claimed = await claimExperiment(db, id, ms, how.isDue ? Number.MAX_SAFE_INTEGER : now());
  if (!claimed) return { kind: "left" };
  const held = <T>(work: () => Promise<T>) => whileHeld(db, "gateway_experiments", claimed, work);
  const brought = await held(() => bring(new Bringing(deps, claimed)));
  if (!brought.ok) return behind(deps, claimed, brought);
  const freed = await held(() => releaseBrought(db, claimed, brought.value));
  await sendPokes(
    deps,
    freed.map((streamId) => ({ streamId, urgent: true })),
  );
  return { kind: "brought" };
}

async function behind(
  deps: Deps,
  claimed: ClaimedExperiment,
  stopped: Extract<Part, { ok: false }>,
): Promise<Brought> {
  const waitMs = (failure: Failure | null) => retryMs(deps, claimed.attempts, failure);
  const left = await notYet(deps, stopped, { waitMs });
  const { failure, error, isHeld, ms } = left;
  await releaseBehind(deps.db, claimed, left);
  deps.log.warn("an experiment is not in MLflow yet", { experiment_id: claimed.id, error });
  // Once the breaker closes it is woken.
  if (!isHeld) await tryEnqueue(deps, experimentMessage(claimed.id), ms);
  return { kind: "behind", failure, error, isHeld, ms };
}

/** What its clients see of it in the end, and what of it MLflow was told. */
type End = { seen: SeenExperiment; sent: SentExperiment };

async function bring(bringing: Bringing): Promise<Part<End>> {
  const { deps, claimed } = bringing;
  const placed = await placeOf(bringing);
  if (!placed.ok) return placed;
  const mlflowId = placed.value;
  // Deleting in MLflow is never undone silently.
  const isFound = claimed.mlflowExperimentId === null && bringing.sent.lifecycle === "deleted";
  if (isFound && claimed.lifecycle === "active" && deps.config.deletedExperiment === "block")
    return asDeleted(bringing);
  let refused: Extract<Part, { ok: false }> | null = null;
  for (const change of changesTo(deps.writes, mlflowId, claimed, bringing.sent)) {
    const told = await tell(bringing, change);
    if (told.ok) continue;
    if (told.failure === null || isAway(told.failure)) return told;
    if (told.failure.kind === "gone" && (await isDeletedThere(deps, mlflowId))) return asDeleted(bringing);
    const stopped =
      change.field === "name"
        ? await nameTaken(bringing, mlflowId, told, (aside) => tell(bringing, aside))
        : told;
    if (stopped.failure !== null && isAway(stopped.failure)) return stopped;
    refused ??= stopped;
  }
  if (refused) return refused;
  if (claimed.lifecycle !== bringing.sent.lifecycle)
    return { ok: false, failure: null, ms: BUSY_MS, error: "its runs are still on their way" };
  const there = await deps.mlflow.getExperiment(mlflowId);
  if (!there.ok) return there;
  await mirrorExperiment(deps.db, there.value, deps.now());
  const seen = seenAs(there.value);
  return { ok: true, value: { seen, sent: { ...seen, doubt: [] } } };
}

/** What is told is in doubt until its answer is heard: whoever comes next tells it again. */
async function tell(bringing: Bringing, { field, call, change, isDone }: Change): Promise<Part> {
  const others = bringing.sent.doubt.filter((one) => one !== field);
  const begun = await bringing.note({ doubt: [...others, field] });
  if (!begun.ok) return begun;
  const done = await call();
  if (done.ok || isDone(done.failure)) {
    const changed = change(bringing.sent);
    return bringing.note({ ...changed, doubt: others }, { isLedAlong: changed.lifecycle !== undefined });
  }
  if (isAway(done.failure)) return done;
  const noted = await bringing.note({ doubt: others });
  return noted.ok ? done : noted;
}

/** It was deleted in MLflow, and so it is for its clients. What they said before is told once it is restored. */
function asDeleted({ claimed: { name, tags }, sent }: Bringing): Part<End> {
  const lifecycle = "deleted";
  return { ok: true, value: { seen: { name, tags, lifecycle }, sent: { ...sent, lifecycle } } };
}

async function isDeletedThere(deps: Deps, mlflowId: string): Promise<boolean> {
  const there = await deps.mlflow.getExperiment(mlflowId);
  if (!there.ok) return false;
  await mirrorExperiment(deps.db, there.value, deps.now());
  return there.value.lifecycleStage === "deleted";
}

function seenAs({ name, lifecycleStage, tags }: Experiment): SeenExperiment {
  return {
    name,
    lifecycle: lifecycleStage,
    tags: toRecord(tags),
  };
}
