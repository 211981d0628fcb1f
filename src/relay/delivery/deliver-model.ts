import { type Failure, isAway } from "../../mlflow/failure.ts";
import {
  type ClaimedModel,
  claimModel,
  releaseModel,
  releaseModelBehind,
  renewModel,
} from "../../store/gateway/models-behind.ts";
import { backoffMs, whileRenewed } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { recordFailure } from "../line/breaker.ts";
import { sendModel } from "../messages.ts";
import { landingMs, leaseMs } from "../stream/held-stream.ts";
import type { Part } from "./bringing.ts";
import { ensureModel } from "./model-place.ts";
import { bringRuns } from "./model-runs.ts";
import { bringTexts, end } from "./model-state.ts";

/** What MLflow will not take as it is, or not yet, is asked again after this. */
const REFUSED_MS = 600_000;
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
  const brought = await whileRenewed(
    ms / 3,
    () => renewModel(db, claimed, ms),
    () => bring(deps, claimed),
  );
  if (!brought.ok) return behind(deps, claimed, brought);
  if (await releaseModel(db, claimed)) await sendModel(deps, id);
}

async function bring(deps: Deps, claimed: ClaimedModel): Promise<Part> {
  const placed = await ensureModel(deps, claimed);
  if (!placed.ok) return placed;
  const model = placed.value;
  if (model === null) return { ok: true, value: undefined };
  const told = await bringTexts(deps, model);
  if (!told.ok) return told;
  const linked = await bringRuns(deps, model);
  return linked.ok ? end(deps, model) : linked;
}

async function behind(
  deps: Deps,
  claimed: ClaimedModel,
  stopped: Extract<Part, { ok: false }>,
): Promise<void> {
  const { config, now, random } = deps;
  const { failure } = stopped;
  const isHeld =
    failure?.kind === "held" ||
    (failure !== null && isOfTheServer(failure) && (await recordFailure(deps, failure)));
  const own =
    failure === null
      ? stopped.ms
      : isOfTheServer(failure)
        ? Math.max(backoffMs(claimed.attempts, config.retry, random), failure.retryAfterMs ?? 0)
        : REFUSED_MS;
  const landsForMs = failure?.kind === "ambiguous" ? landingMs(config.mlflow.timeoutMs) : 0;
  const ms = Math.max(own, landsForMs);
  const error =
    stopped.failure === null ? stopped.error : `${stopped.failure.kind}: ${stopped.failure.message}`;
  await releaseModelBehind(deps.db, claimed, { error, nextAttemptAt: isHeld ? 0 : now() + ms, landsForMs });
  deps.log[failure === null ? "info" : "warn"]("a logged model is not in MLflow yet", {
    model_id: claimed.id,
    error,
  });
  // Once the breaker closes it is woken.
  if (!isHeld) await sendModel(deps, claimed.id, ms);
}

function isOfTheServer(failure: Failure): boolean {
  return isAway(failure) && !(failure.kind === "misconfigured" && failure.status === NOT_FOUND);
}
