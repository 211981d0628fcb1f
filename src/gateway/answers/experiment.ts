import type { LifecycleStage } from "../../domain/words.ts";

/** An experiment as MLflow's clients see it. Times in epoch milliseconds. */
export type ExperimentShown = {
  id: string;
  name: string;
  artifactLocation: string;
  lifecycle: LifecycleStage;
  tags: Readonly<Record<string, string>>;
  createdTime: number;
  updatedTime: number;
};

/** The body of `experiments/get` and `experiments/get-by-name`. */
export function experimentAnswer(experiment: ExperimentShown) {
  return { experiment: experimentOf(experiment) };
}

/** An experiment in any answer. */
export function experimentOf(experiment: ExperimentShown) {
  const tags = Object.entries(experiment.tags)
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    experiment_id: experiment.id,
    name: experiment.name,
    artifact_location: experiment.artifactLocation,
    lifecycle_stage: experiment.lifecycle,
    last_update_time: experiment.updatedTime,
    creation_time: experiment.createdTime,
    ...(tags.length === 0 ? {} : { tags }),
  };
}
