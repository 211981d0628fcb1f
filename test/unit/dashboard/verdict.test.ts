import { describe, expect, it } from "vitest";
import { verdictWords } from "../../../src/dashboard/client/lib/verdict-words.ts";

const texts = {
  compared: 2,
  missing: { count: 0, sample: [] },
  different: { count: 0, sample: [] },
  undelivered: 0,
  explained: 0,
};
const report = {
  undelivered_events: 0,
  run: { id: "r", state: "active" as const },
  double_runs: [],
  points: {
    compared: 5,
    missing: 0,
    extra: 0,
    different: 0,
    doubled: 0,
    undelivered: 0,
    explained: 0,
    keys: {},
    differing_keys: 0,
  },
  params: texts,
  tags: texts,
  state: [],
};

describe("a verdict in words", () => {
  it.each([
    [
      { verdict: "confirmed" as const, report },
      "Confirmed: 5 points, 2 parameters and 2 tags compared, and all are there.",
    ],
    [{ verdict: null, report: null }, "MLflow has nothing of it to compare."],
    [
      {
        verdict: "differs" as const,
        report: { ...report, points: { ...report.points, missing: 3 }, double_runs: ["a"] },
      },
      "MLflow differs: 3 points missing, 1 other runs with the same ids (5 points, 2 parameters and 2 tags compared).",
    ],
    [
      { verdict: "differs" as const, report: { ...report, run: { id: "r", state: "deleted" as const } } },
      "Its run in MLflow is deleted.",
    ],
  ])("%#", (verdict, words) => expect(verdictWords(verdict)).toBe(words));
});
