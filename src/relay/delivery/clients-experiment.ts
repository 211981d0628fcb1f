import { experimentById, type GatewayExperiment, linkExperiment } from "../../store/gateway/experiments.ts";
import type { Step, Turn } from "../stream/turn.ts";
import { askForExperiment, ensureKnownExperiment, type Made } from "./experiment.ts";

/** MLflow's id of an experiment that an MLflow client knows by its own; it is made where MLflow has none of its name. */
export async function clientsExperiment(turn: Turn, id: string): Promise<Step<string>> {
  const { db } = turn.deps;
  const experiment = await experimentById(db, id);
  if (!experiment) throw new Error(`a run is in experiment ${id}, which is not there`);
  if (experiment.mlflowExperimentId !== null) {
    const known = await ensureKnownExperiment(turn, experiment.mlflowExperimentId);
    if (!known.ok) return known;
    if (known.value !== null) return { ok: true, value: known.value };
  }
  const made = await askForExperiment(turn, experiment.name, madeWith(experiment, turn.deps.config));
  if (made.ok) await linkExperiment(db, experiment.id, made.value);
  return made;
}

/** What MLflow is told of an experiment that it is to make. Where the client named no place, MLflow chooses. */
export function madeWith(
  { id, artifactLocation, tags }: GatewayExperiment,
  config: { artifactLocation: string | null },
): Made {
  const isOurs = artifactLocation === ownLocation(id);
  return {
    artifactLocation: isOurs ? config.artifactLocation : artifactLocation,
    tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
  };
}

/** Where the artifacts of an experiment are for its clients, unless they say otherwise. */
export function ownLocation(id: string): string {
  return `mlflow-artifacts:/${id}`;
}
