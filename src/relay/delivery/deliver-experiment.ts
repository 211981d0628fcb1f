import { type Failure, isAway, type Result } from "../../mlflow/failure.ts";
import type { Experiment } from "../../mlflow/types.ts";
import {
  type ClaimedExperiment,
  claimExperiment,
  noteSent,
  releaseExperiment,
  type SentExperiment,
} from "../../store/gateway/behind.ts";
import { linkExperiment } from "../../store/gateway/experiments.ts";
import { mirrorExperiment } from "../../store/mirror/experiments.ts";
import { backoffMs } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { recordFailure } from "../line/breaker.ts";
import { sendExperiment } from "../messages.ts";
import { landingMs, leaseMs } from "../stream/held-stream.ts";
import { madeWith } from "./clients-experiment.ts";

/** What MLflow will not take as it is, or not yet, is asked again after this. */
const REFUSED_MS = 600_000;
/** Runs in it are still on their way. */
const BUSY_MS = 2_000;

type Step<T = void> = Result<T> | { ok: false; failure: null; ms: number; error: string };

/**
 * Brings an experiment of MLflow's clients to MLflow as it is now: made where it is not there, or joined with the one that
 * has its name; then its name, its tags, and whether it is deleted. Every call sets what is wanted, so that it may be done
 * again.
 */
export async function deliverExperiment(deps: Deps, id: string): Promise<void> {
  const { db, config, now } = deps;
  const claimed = await claimExperiment(db, id, leaseMs(config.mlflow.timeoutMs), now());
  if (!claimed) return;
  const brought = await bring(deps, claimed);
  if (brought.ok) return releaseExperiment(db, claimed, { version: claimed.version });
  const { failure } = brought;
  const isWaiting =
    failure?.kind === "held" || (failure !== null && isAway(failure) && (await recordFailure(deps, failure)));
  const ms =
    failure === null
      ? brought.ms
      : isAway(failure)
        ? backoffMs(claimed.attempts, config.retry, deps.random)
        : REFUSED_MS;
  const landsForMs = failure?.kind === "ambiguous" ? landingMs(config.mlflow.timeoutMs) : 0;
  const waitMs = Math.max(ms, landsForMs);
  const error = failure === null ? brought.error : `${failure.kind}: ${failure.message}`;
  await releaseExperiment(db, claimed, { error, nextAttemptAt: isWaiting ? 0 : now() + waitMs, landsForMs });
  deps.log.warn("an experiment is not in MLflow yet", { experiment_id: id, error });
  // Once the breaker closes it is woken.
  if (!isWaiting) await sendExperiment(deps, id, waitMs);
}

async function bring(deps: Deps, claimed: ClaimedExperiment): Promise<Step> {
  const found = await placed(deps, claimed);
  if (!found.ok) return found;
  const { mlflowId } = found.value;
  let { sent } = found.value;
  const note = async (change: Partial<SentExperiment>) => {
    sent = { ...sent, ...change };
    await noteSent(deps.db, claimed, sent);
  };
  for (const step of stepsTo(deps, mlflowId, claimed, sent)) {
    const done = await step.call();
    if (!done.ok && !step.isDone(done.failure)) return done;
    await note(step.change(sent));
  }
  if (claimed.lifecycle === "deleted" && sent.lifecycle === "active") {
    if (claimed.isBusy)
      return { ok: false, failure: null, ms: BUSY_MS, error: "its runs are still on their way" };
    const deleted = await deps.writes.deleteExperiment(mlflowId);
    if (!deleted.ok && deleted.failure.kind !== "gone") return deleted;
    await note({ lifecycle: "deleted" });
  }
  const seen = await deps.mlflow.getExperiment(mlflowId);
  if (seen.ok) await mirrorExperiment(deps.db, seen.value, deps.now());
  return { ok: true, value: undefined };
}

type Change = {
  call: () => Promise<Result<void>>;
  change: (sent: SentExperiment) => Partial<SentExperiment>;
  /** Whether a failure says that there is nothing left to do. */
  isDone: (failure: Failure) => boolean;
};

/** What is to be changed, so that a deleted one is restored first. */
function* stepsTo(
  { writes }: Deps,
  experimentId: string,
  { name, lifecycle, tags }: ClaimedExperiment,
  sent: SentExperiment,
): Generator<Change> {
  const tagged = Object.entries(tags).filter(([key, value]) => sent.tags[key] !== value);
  const untagged = Object.keys(sent.tags).filter((key) => !Object.hasOwn(tags, key));
  const isChanged = sent.name !== name || tagged.length > 0 || untagged.length > 0;
  if (sent.lifecycle === "deleted" && (lifecycle === "active" || isChanged))
    yield {
      call: () => writes.restoreExperiment(experimentId),
      change: () => ({ lifecycle: "active" }),
      isDone: ({ kind }) => kind === "gone",
    };
  if (sent.name !== name)
    yield {
      call: () => writes.updateExperiment({ experimentId, newName: name }),
      change: () => ({ name }),
      isDone: () => false,
    };
  for (const [key, value] of tagged)
    yield {
      call: () => writes.setExperimentTag({ experimentId, key, value }),
      change: (before) => ({ tags: { ...before.tags, [key]: value } }),
      isDone: () => false,
    };
  for (const key of untagged)
    yield {
      call: () => writes.deleteExperimentTag({ experimentId, key }),
      change: ({ tags: { [key]: _, ...others } }) => ({ tags: others }),
      // A server that has no such call keeps the tag.
      isDone: ({ kind, status }) => kind === "missing" || (kind === "misconfigured" && status === 404),
    };
}

/** MLflow's id of it and how it is there: known, found by its name, or made. */
async function placed(
  deps: Deps,
  claimed: ClaimedExperiment,
): Promise<Step<{ mlflowId: string; sent: SentExperiment }>> {
  if (claimed.mlflowExperimentId !== null && claimed.sent !== null)
    return { ok: true, value: { mlflowId: claimed.mlflowExperimentId, sent: claimed.sent } };
  const found = await byName(deps, claimed.name);
  if (!found.ok) return found;
  const experiment = found.value ?? (await made(deps, claimed));
  if ("ok" in experiment) return experiment;
  const { experimentId, name, lifecycleStage } = experiment;
  await mirrorExperiment(deps.db, experiment, deps.now());
  await linkExperiment(deps.db, claimed.id, experimentId);
  const tags = Object.fromEntries(experiment.tags.map(({ key, value }) => [key, value]));
  // What MLflow had of that name before keeps the tags that nobody spoke of here.
  const sent = {
    name,
    lifecycle: lifecycleStage,
    tags: Object.fromEntries(Object.entries(tags).filter(([key]) => Object.hasOwn(claimed.tags, key))),
  };
  return { ok: true, value: { mlflowId: experimentId, sent } };
}

async function made(
  deps: Deps,
  claimed: ClaimedExperiment,
): Promise<Experiment | Extract<Step<never>, { ok: false }>> {
  const { artifactLocation = null, tags = [] } = madeWith(claimed, deps.config);
  const created = await deps.writes.createExperiment({
    name: claimed.name,
    ...(artifactLocation === null ? {} : { artifactLocation }),
    ...(tags.length === 0 ? {} : { tags: [...tags] }),
  });
  // Made, or made by another, or perhaps made: MLflow keeps names unique, so the name tells.
  if (!created.ok && created.failure.kind !== "exists" && created.failure.kind !== "ambiguous")
    return created;
  const found = await byName(deps, claimed.name);
  if (!found.ok) return found;
  if (found.value) return found.value;
  if (!created.ok) return created;
  return { ok: false, failure: null, ms: BUSY_MS, error: "MLflow does not show it yet" };
}

async function byName({ mlflow }: Deps, name: string): Promise<Result<Experiment | null>> {
  const found = await mlflow.getExperimentByName(name);
  if (found.ok || found.failure.kind !== "missing") return found;
  return { ok: true, value: null };
}
