import { describe, expect, it } from "vitest";
import { type Disputed, resolutionOf } from "../../src/domain/resolution.ts";
import { noLifecycle } from "../../src/domain/status.ts";

const conflict = (more: Partial<Disputed>): Disputed => ({
  kind: "tag",
  field: "team",
  kept: "relay's",
  refused: "mlflow's",
  source: "mlflow",
  relayValue: "relay's",
  mlflowValue: "mlflow's",
  now: { status: "running", endedAt: null },
  lifecycle: noLifecycle,
  mlflowEndTime: null,
  saidAt: null,
  ...more,
});

describe("taking a side", () => {
  it.each([
    ["relay", { tags: { team: "relay's" } }],
    ["mlflow", { tags: { team: "mlflow's" } }],
  ] as const)("of a tag says %s's value", (take, facts) => {
    expect(resolutionOf(conflict({}), take)).toEqual({ kind: "say", facts });
  });

  it("on which a tag is absent takes it away", () => {
    expect(resolutionOf(conflict({ mlflowValue: null }), "mlflow")).toEqual({
      kind: "say",
      facts: { untags: ["team"] },
    });
  });

  it("of a description says it as MLflow's tag", () => {
    const about = conflict({ kind: "description", field: "mlflow.note.content" });
    expect(resolutionOf(about, "relay")).toEqual({
      kind: "say",
      facts: { tags: { "mlflow.note.content": "relay's" } },
    });
  });

  it("of a name says it, unless that side has none", () => {
    const about = conflict({ kind: "name", field: "run_name", relayValue: null });
    expect(resolutionOf(about, "mlflow")).toEqual({
      kind: "say",
      facts: { fields: { run_name: "mlflow's" } },
    });
    expect(resolutionOf(about, "relay")).toMatchObject({ kind: "refused" });
  });
});

describe("a status", () => {
  const status = (relayValue: string, mlflowValue: string, more: Partial<Disputed> = {}) =>
    conflict({ kind: "status", field: "status", relayValue, mlflowValue, ...more });

  it("RUNNING has the trial go on", () => {
    expect(resolutionOf(status("RUNNING", "KILLED"), "relay")).toEqual({
      kind: "say",
      facts: { resumes: true },
    });
  });

  it("of MLflow's ends the trial when MLflow's run ended, or when it is said", () => {
    expect(resolutionOf(status("RUNNING", "KILLED", { mlflowEndTime: 5 }), "mlflow")).toEqual({
      kind: "say",
      facts: { resumes: true, ends: "cancelled", endedAt: 5 },
    });
    expect(resolutionOf(status("RUNNING", "FINISHED"), "mlflow")).toEqual({
      kind: "say",
      facts: { resumes: true, ends: "succeeded" },
    });
  });

  it("of the relay's is the trainer's own end, though the policy has put MLflow's in its place", () => {
    const says = { status: "failed" as const, endedAt: 9 };
    const about = status("KILLED", "FAILED", {
      now: { status: "failed", endedAt: 9 },
      lifecycle: {
        ...noLifecycle,
        reset: { seq: 2, over: 1, at: 9, resumed: null, says },
        ends: { skipped: [{ seq: 1, acceptedAt: 7, at: 7, id: "e" }] },
      },
    });
    expect(resolutionOf(about, "relay")).toEqual({
      kind: "say",
      facts: { resumes: true, ends: "skipped", endedAt: 7 },
    });
  });

  it("that still stands keeps its time", () => {
    const about = status("KILLED", "FINISHED", {
      now: { status: "skipped", endedAt: 4 },
      lifecycle: {
        ...noLifecycle,
        ends: {
          skipped: [{ seq: 1, acceptedAt: 6, at: 6, id: "e", endedAt: 4 }],
          cancelled: [{ seq: 2, acceptedAt: 8, at: 8, id: "f" }],
        },
      },
    });
    expect(resolutionOf(about, "relay")).toEqual({
      kind: "say",
      facts: { resumes: true, ends: "skipped", endedAt: 4 },
    });
  });

  it("that is none is refused", () => {
    expect(resolutionOf(conflict({ kind: "status", mlflowValue: null }), "mlflow")).toMatchObject({
      kind: "refused",
    });
  });
});

describe("a parameter", () => {
  const param = (more: Partial<Disputed>) =>
    conflict({
      kind: "param",
      field: "lr",
      kept: "1",
      refused: "2",
      relayValue: null,
      mlflowValue: null,
      ...more,
    });

  it.each([
    [
      "a merge saw",
      { relayValue: "2", mlflowValue: "3" },
      { kind: "say", facts: { corrections: { lr: "3" } } },
    ],
    ["MLflow refused", { source: "mlflow" }, { kind: "say", facts: { corrections: { lr: "1" } } }],
    ["two events gave", { source: "journal" }, { kind: "stands" }],
  ] as const)("that %s becomes what stands in MLflow, and cannot become the relay's", (_, more, expected) => {
    expect(resolutionOf(param(more), "mlflow")).toEqual(expected);
    expect(resolutionOf(param(more), "relay")).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining("cannot change a parameter"),
    });
  });
});

describe("a run", () => {
  it.each(["experiment", "run_id"] as const)("stays where it is (%s)", (kind) => {
    expect(resolutionOf(conflict({ kind }), "mlflow")).toEqual({ kind: "stands" });
    expect(resolutionOf(conflict({ kind }), "relay")).toMatchObject({ kind: "refused" });
  });

  it("that is a trial's second is deleted for the relay, and cannot take the first one's place", () => {
    const double = conflict({ kind: "double_run", kept: "a".repeat(32), refused: "b".repeat(32) });
    expect(resolutionOf(double, "relay")).toEqual({ kind: "delete_run", runId: "b".repeat(32) });
    expect(resolutionOf(double, "mlflow")).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining("mlflow_run_id"),
    });
  });
});
