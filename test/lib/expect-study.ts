import { expect } from "vitest";
import * as z from "zod";
import type { Lab } from "./lab.ts";
import type { Snapshot } from "./mlflow-read.ts";
import type { Study } from "./study.ts";

const PARENT = "the model run";

/**
 * The model run is one run and so is every trial, nested under it, with exactly the points, parameters, times and
 * status that the study gave; and the relay says so.
 */
export async function expectArrived({ mlflow, relay }: Lab, experiment: string, study: Study): Promise<void> {
  const runs = await mlflow.runs(experiment);
  const idOf = ({ tags }: Snapshot) => tags.thunderline_trial_id ?? PARENT;
  expect(runs.map(idOf).sort()).toEqual([PARENT, ...study.trials.keys()].sort());
  const parent = runs.find((run) => idOf(run) === PARENT);
  const { startTime, endTime } = study;
  expect(parent).toMatchObject({ status: "FINISHED", startTime, endTime });
  for (const [trialId, { points, tags, ...expected }] of study.trials) {
    const run = runs.find((candidate) => idOf(candidate) === trialId);
    expect(run).toMatchObject(expected);
    expect(run?.tags).toMatchObject({ ...tags, "mlflow.parentRunId": parent?.runId });
    expect(run?.points).toEqual(points);
  }
  expect(relay.store.conflicts(experiment)).toEqual([]);
  expect(relay.store.deadLetters(experiment)).toEqual([]);
  const shown = await relay.get(
    `/api/trials?${new URLSearchParams({ model_run_id: experiment, limit: "100" })}`,
  );
  const states = z.object({ trials: z.array(z.object({ sync_state: z.string() })) }).parse(shown.body).trials;
  expect(states).toEqual([...study.trials].map(() => expect.objectContaining({ sync_state: "synced" })));
}
