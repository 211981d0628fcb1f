import { type Failure, isAway } from "../../mlflow/failure.ts";
import { renewRow, whileHeld } from "../../store/database/leased-row.ts";
import {
  type ClaimedModel,
  claimModel,
  releaseModel,
  releaseModelBehind,
} from "../../store/gateway/models-behind.ts";
import { whileRenewed } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { retryMs } from "../line/retry-after.ts";
import { modelMessage } from "../messages.ts";
import { tryEnqueue } from "../queues.ts";
import { leaseMs } from "../stream/held-stream.ts";
import type { Part } from "./bringing.ts";
import { ensureModel } from "./model-place.ts";
import { bringRuns } from "./model-runs.ts";
import { bringTexts, end } from "./model-state.ts";
import { notYet } from "./not-yet.ts";

/** What a server says that knows no logged models: one before 3. */
const NOT_FOUND = 404;

/**
 * Brings a logged model to MLflow as it is now: made after its experiment and its run, then its tags and parameters, the
 * runs that have to do with it, their points that are its own as well, and at last, after its files, how it ended. Every
 * call but the first may be done again; a second model is not made, since each has a tag of its own to be found by.
 */
export async function deliverModel(deps: Deps, id: string): Promise<void> {
  const { db, config, now } = deps;
  if (!config.enabled) return;
  const ms = leaseMs(config.mlflow.timeoutMs);
  const claimed = await claimModel(db, id, ms, now());
  if (!claimed) return;
  const held = <T>(work: () => Promise<T>) => whileHeld(db, "gateway_models", claimed, work);
  const brought = await whileRenewed(
    ms / 3,
    () => renewRow(db, "gateway_models", claimed, ms),
    () => held(() => bring(deps, claimed)),
  );
  if (!brought.ok) return behind(deps, claimed, brought);
  const isBehind = await held(() => releaseModel(db, claimed, now() + config.retentionMs));
  if (isBehind) await tryEnqueue(deps, modelMessage(id));
}

async function bring(deps: Deps, claimed: ClaimedModel): Promise<Part> {
  const placed = await ensureModel(deps, claimed);
  if (!placed.ok) return placed;
  const model = placed.value;
  if (model === null) return { ok: true, value: undefined };
  const told = await bringTexts(deps, model);
  if (!told.ok) return told;
  const brought = await bringRuns(deps, model);
  return brought.ok ? end(deps, model) : brought;
}

async function behind(
  deps: Deps,
  claimed: ClaimedModel,
  stopped: Extract<Part, { ok: false }>,
): Promise<void> {
  const waitMs = (failure: Failure | null) => retryMs(deps, claimed.attempts, failure);
  const left = await notYet(deps, stopped, { waitMs, isServers: isOfTheServer });
  const { failure, error, isHeld, ms } = left;
  await releaseModelBehind(deps.db, claimed, left);
  deps.log[failure === null ? "info" : "warn"]("a logged model is not in MLflow yet", {
    model_id: claimed.id,
    error,
  });
  // Once the breaker closes it is woken.
  if (!isHeld) await tryEnqueue(deps, modelMessage(claimed.id), ms);
}

function isOfTheServer(failure: Failure): boolean {
  return isAway(failure) && !(failure.kind === "misconfigured" && failure.status === NOT_FOUND);
}
