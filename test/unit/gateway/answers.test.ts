import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareByRecency, compareInHistory } from "../../../src/domain/observations.ts";
import { experimentAnswer } from "../../../src/gateway/answers/experiment.ts";
import { bulkAnswer, historyAnswer, intervalAnswer } from "../../../src/gateway/answers/history.ts";
import { intervalOf } from "../../../src/gateway/answers/interval.ts";
import { pageAnswer, pageToken } from "../../../src/gateway/answers/page.ts";
import { madeRunAnswer, type RunShown, runAnswer, runInfoAnswer } from "../../../src/gateway/answers/run.ts";
import { readSearchExperiments } from "../../../src/gateway/requests/search.ts";

const RUN: RunShown = {
  runId: "r",
  experimentId: "1",
  runName: "n",
  userId: "",
  status: "RUNNING",
  startTime: 0,
  endTime: null,
  artifactUri: "mlflow-artifacts:/1/r/artifacts",
  lifecycleStage: "active",
  params: [],
  tags: [],
  metrics: [],
};
const INFO = {
  run_uuid: "r",
  experiment_id: "1",
  run_name: "n",
  user_id: "",
  status: "RUNNING",
  start_time: 0,
  artifact_uri: "mlflow-artifacts:/1/r/artifacts",
  lifecycle_stage: "active",
  run_id: "r",
};

describe("a run", () => {
  test("has no empty list and no end that was not given", () => {
    expect(runAnswer(RUN)).toEqual({ run: { info: INFO, data: {}, inputs: {}, outputs: {} } });
    expect(madeRunAnswer(RUN)).toEqual({ run: { info: INFO, data: {}, inputs: {} } });
    expect(runInfoAnswer({ ...RUN, endTime: 0 })).toEqual({ run_info: INFO });
    expect(runInfoAnswer({ ...RUN, endTime: 5 })).toEqual({ run_info: { ...INFO, end_time: 5 } });
  });

  test("has what JSON has no number for as text, and its lists by key", () => {
    const metrics = [
      { key: "b", value: Number.NaN, timestamp: 5, step: 1 },
      { key: "a", value: -Infinity, timestamp: 0, step: -1 },
    ];
    const params = [
      { key: "z", value: "" },
      { key: "B", value: "1" },
    ];
    expect(runAnswer({ ...RUN, metrics, params }).run.data).toEqual({
      metrics: [
        { key: "a", value: "-Infinity", timestamp: 0, step: -1 },
        { key: "b", value: "NaN", timestamp: 5, step: 1 },
      ],
      params: [
        { key: "B", value: "1" },
        { key: "z", value: "" },
      ],
    });
  });
});

test("an experiment has its tags by key, or none", () => {
  const shown = {
    id: "900000000000000001",
    name: "e",
    artifactLocation: "mlflow-artifacts:/1",
    lifecycle: "deleted",
    tags: { z: "1", a: "" },
    createdTime: 1,
    updatedTime: 2,
  } as const;
  const body = {
    experiment_id: "900000000000000001",
    name: "e",
    artifact_location: "mlflow-artifacts:/1",
    lifecycle_stage: "deleted",
    last_update_time: 2,
    creation_time: 1,
  };
  const tags = [
    { key: "a", value: "" },
    { key: "z", value: "1" },
  ];
  expect(experimentAnswer(shown)).toEqual({ experiment: { ...body, tags } });
  expect(experimentAnswer({ ...shown, tags: {} })).toEqual({ experiment: body });
});

describe("pages", () => {
  test("leave out an empty list and a token that there is none of", () => {
    expect(pageAnswer("runs", [], null)).toEqual({});
    expect(pageAnswer("runs", [{}], 2)).toEqual({ runs: [{}], next_page_token: "eyJvZmZzZXQiOiAyfQ==" });
  });

  test("go on where their token says", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), (offset) => {
        const body = { max_results: 1, page_token: pageToken(offset) };
        expect(readSearchExperiments(body).offset).toBe(offset);
      }),
    );
  });
});

const point = (value: number | string, timestamp: number, step: number) => ({
  key: "k",
  value,
  timestamp,
  step,
});

test("histories name a point's run where there are several", () => {
  const own = { ...point("NaN", 5, 1), runId: "r" };
  const body = { key: "k", value: "NaN", timestamp: 5, step: 1 };
  expect(historyAnswer([own], null)).toEqual({ metrics: [body] });
  expect(intervalAnswer([own])).toEqual({ metrics: [{ ...body, run_id: "r" }] });
  expect(bulkAnswer([own])).toEqual({ metrics: [{ ...body, run_id: "r" }] });
  expect([historyAnswer([], null), intervalAnswer([]), bulkAnswer([])]).toEqual([{}, {}, { metrics: [] }]);
});

// As a real MLflow has them.
test.each([
  ["by time, whatever the step", [point(1, 1, 9), point(1, 5, 1)]],
  ["then by step", [point(1, 5, -3), point(1, 5, 1)]],
  [
    "then by value, with NaN as 0",
    [point("-Infinity", 5, 1), point(-1, 5, 1), point("NaN", 5, 1), point(1, 5, 1), point("Infinity", 5, 1)],
  ],
])("a history is ordered %s", (_how, points) => {
  expect(points.toReversed().toSorted(compareInHistory)).toEqual(points);
});

test.each([
  ["of the greatest step", point(1, 1, 9), point(2, 5, 1)],
  ["then of the latest time", point(1, 6, 1), point(2, 5, 1)],
  ["then the greatest", point(2, 5, 1), point(1, 5, 1)],
  ["where NaN is less than 1", point(1, 5, 1), point("NaN", 5, 1)],
  ["and more than -1", point("NaN", 5, 1), point(-1, 5, 1)],
  ["and less than an infinity", point("Infinity", 5, 1), point("NaN", 5, 1)],
])("the latest value is the one %s", (_which, latest, other) => {
  expect(compareByRecency(latest, other)).toBeGreaterThan(0);
  expect(compareByRecency(other, latest)).toBeLessThan(0);
});

describe("a sample of histories", () => {
  const series = (runId: string, ...steps: number[]) => ({
    runId,
    points: steps.map((step) => point(step, 1, step)),
  });
  const stepsOf = (...given: Parameters<typeof intervalOf>) =>
    intervalOf(...given).map(({ runId, step }) => `${runId}${step}`);
  const ten = series("a", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);

  // As a real MLflow has them.
  test.each<[string, Parameters<typeof intervalOf>, string[]]>([
    ["all where they are few", [[series("a", 2, -1), series("b", 1)], null, 10], ["a-1", "a2", "b1"]],
    ["within the steps asked for", [[ten], { first: 3, last: 5 }, 10], ["a3", "a4", "a5"]],
    ["the first of each share, and the last", [[ten], null, 3], ["a0", "a4", "a9"]],
    ["of each run so many", [[ten, series("b", 1, 8)], null, 2], ["a0", "a9", "b1", "b8"]],
    ["only the last of one", [[ten], null, 1], ["a9"]],
    ["nothing of nothing", [[series("a")], null, 5], []],
  ])("has %s", (_what, given, expected) => {
    expect(stepsOf(...given)).toEqual(expected);
  });

  test("has values of one step in the order of their times", () => {
    const points = Array.from({ length: 30 }, (_, i) => point(i, i, 0));
    const values = intervalOf([{ runId: "a", points }], null, 7).map(({ value }) => value);
    expect(values).toEqual([0, 5, 10, 14, 18, 22, 29]);
  });
});
