import { experimentById, unlinkExperiment } from "../../store/gateway/experiments.ts";
import { stop } from "../stream/stop.ts";
import { blocked, type Step, type Turn } from "../stream/turn.ts";
import { deliverExperiment } from "./deliver-experiment.ts";
import { deletedExperiment, ensureKnownExperiment } from "./experiment.ts";

/** How soon to come back where another is just bringing it. */
const BUSY_MS = 1_000;

/** MLflow's id of an experiment that an MLflow client knows by its own; it is made where MLflow has none of its name. */
export async function clientsExperiment(turn: Turn, id: string): Promise<Step<string>> {
  const { db } = turn.deps;
  const experiment = await experimentById(db, id);
  if (!experiment) throw new Error(`a run is in experiment ${id}, which is not there`);
  if (experiment.mlflowExperimentId !== null) {
    const known = await ensureKnownExperiment(turn, experiment.mlflowExperimentId);
    if (!known.ok) return known;
    if (known.value !== null) return { ok: true, value: known.value };
    // Deleted there for good.
    await unlinkExperiment(db, experiment.id, experiment.mlflowExperimentId);
  }
  const brought = await deliverExperiment(turn.deps, experiment.id, { isDue: true });
  const now = await experimentById(db, experiment.id);
  if (now && now.mlflowExperimentId !== null)
    return now.lifecycle === "deleted" && brought.kind === "brought"
      ? blocked(deletedExperiment(now.name))
      : { ok: true, value: now.mlflowExperimentId };
  if (brought.kind !== "behind") return { ok: false, end: { kind: "wait", for: "retry", ms: BUSY_MS } };
  const { failure, isHeld, ms, error } = brought;
  if (failure?.kind === "invalid") return stop(turn, failure);
  return { ok: false, end: { kind: "wait", for: isHeld ? "breaker" : "retry", ms, error } };
}
