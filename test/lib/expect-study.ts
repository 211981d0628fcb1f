import { expect } from "vitest";
import type { Lab } from "./lab.ts";
import type { Study } from "./study.ts";

/** Every trial of the study is one run, with exactly the points, parameters, times and status that it gave. */
export async function expectArrived({ mlflow, relay }: Lab, experiment: string, study: Study): Promise<void> {
  const runs = await mlflow.trials(experiment);
  expect([...runs.keys()].sort()).toEqual([...study.trials.keys()].sort());
  for (const [trialId, { status, startTime, endTime, params, tags, points }] of study.trials) {
    const [run, ...others] = runs.get(trialId) ?? [];
    expect(others).toEqual([]);
    expect(run).toMatchObject({ status, startTime, endTime, params, tags });
    expect(run?.points).toEqual(points);
  }
  expect(relay.store.conflicts(experiment)).toEqual([]);
  expect(relay.store.deadLetters(experiment)).toEqual([]);
}
