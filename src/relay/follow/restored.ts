import { type Counts, count } from "../../domain/counts.ts";
import { type Failure, isAway } from "../../mlflow/failure.ts";
import { wakeTrialsOf } from "../../store/delivery/blocked.ts";
import { mirrorExperiment } from "../../store/mirror/experiments.ts";
import { type ToPull, unblockRestored } from "../../store/mirror/to-pull.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";
import { sendPokes } from "../queues.ts";
import { RUN_STATEMENTS } from "../stream/under-lease.ts";

/** What a blocked stream needs to be active in MLflow before it can go on. */
type Need =
  | { kind: "experiment"; name: string }
  | { kind: "run"; runId: string }
  | { kind: "known"; active: boolean };

/**
 * Has streams go on whose run or experiment was deleted in MLflow and is active there again.
 * @param active the linked runs that were just seen to be active
 * @returns false when MLflow is away, or too little is left; the others of the page have their turn the next time round
 */
export async function followRestored(
  deps: Deps,
  page: readonly ToPull[],
  active: ReadonlySet<string>,
  counts: Counts,
): Promise<boolean> {
  const blocked = page.filter(({ goneKind }) => goneKind !== null);
  const answers = new Map<string, boolean>();
  const free: typeof blocked = [];
  let isThere = true;
  for (const stream of blocked) {
    const need = needOf(stream, active);
    // Many streams wait for one experiment.
    const question = JSON.stringify(need);
    const known = answers.get(question);
    if (known === undefined && !deps.budget.has(RUN_STATEMENTS / 2)) {
      isThere = false;
      break;
    }
    const answer = known ?? (await isActive(deps, need));
    if (typeof answer === "object") {
      await heard(deps, answer);
      deps.log.warn("what a trial waits for could not be asked for", {
        stream: stream.streamId,
        error: answer.message,
      });
      isThere = !isAway(answer);
      if (!isThere) break;
    }
    answers.set(question, answer === true);
    if (answer === true) free.push(stream);
  }
  const freed = new Set(await unblockRestored(deps.db, free));
  if (freed.size === 0) return isThere;
  count(counts, "unblocked", freed.size);
  deps.log.info("restored in MLflow: blocked trials go on", { trials: freed.size });
  const waiting = await Promise.all(
    free.map(({ streamId, kind, modelRunId }) =>
      freed.has(streamId) && kind === "model_run" && modelRunId !== null
        ? wakeTrialsOf(deps.db, modelRunId)
        : [],
    ),
  );
  const pokes = new Set([...freed, ...waiting.flat()]);
  await sendPokes(
    deps,
    [...pokes].map((streamId) => ({ streamId, urgent: true })),
  );
  return isThere;
}

function needOf({ runId, goneKind, goneOn }: ToPull, active: ReadonlySet<string>): Need {
  if (runId !== null) return { kind: "known", active: active.has(runId) };
  if (goneOn === null) return { kind: "known", active: false };
  return goneKind === "gone_run" ? { kind: "run", runId: goneOn } : { kind: "experiment", name: goneOn };
}

async function isActive(deps: Deps, need: Need): Promise<boolean | Failure> {
  if (need.kind === "known") return need.active;
  if (need.kind === "run") {
    const run = await deps.mlflow.getRun(need.runId);
    if (run.ok) return run.value.info.lifecycleStage === "active";
    return run.failure.kind === "gone" ? false : run.failure;
  }
  const experiment = await deps.mlflow.getExperimentByName(need.name);
  // Deleted for good: to make another in its place is for an operator to say.
  if (!experiment.ok) return experiment.failure.kind === "missing" ? false : experiment.failure;
  await mirrorExperiment(deps.db, experiment.value, deps.now());
  return experiment.value.lifecycleStage === "active";
}
