import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyCore, endOf, fieldOf } from "../../src/domain/core.ts";
import { fold, type State } from "../../src/domain/fold.ts";
import { TRIAL_STATUS } from "../../src/domain/run-register.ts";
import { runStateOf } from "../../src/domain/run-state.ts";
import { statusOf } from "../../src/domain/status.ts";
import type { Facts, StoredEvent } from "../../src/domain/types.ts";
import type { RunStatus } from "../../src/domain/words.ts";

const empty: State = { core: emptyCore, params: new Map(), tags: new Map(), metrics: new Map() };

/** Events as a client of MLflow says them: in this order, whatever the clocks of the isolates that took them. */
function state(told: readonly { facts: Facts; at: number; id?: string; type?: string }[]): State {
  const events = told.map(
    ({ facts, at, id, type = "mlflow.log" }, i): StoredEvent => ({
      seq: i + 1,
      id: id ?? String(i),
      type,
      occurredAt: at,
      acceptedAt: at,
      facts,
    }),
  );
  return fold(empty, events, []).state;
}

function updated(status: RunStatus, endTime?: number): Facts {
  const ends = TRIAL_STATUS[status];
  return {
    announces: true,
    resumes: true,
    ...(ends === null ? {} : { ends }),
    ...(endTime === undefined ? {} : { endedAt: endTime }),
    run: { status, ...(endTime === undefined ? {} : { endTime }) },
  };
}

const clock = fc.integer({ min: 1_000, max: 1_004 });
const anId = fc.stringMatching(/^[a-f]{3}$/);

describe("what a client of MLflow says", () => {
  test("goes by order of acceptance: of a tag's values the last one stands, whatever the clocks and ids", () => {
    const word = fc.record({ value: fc.option(fc.constantFrom("1", "2")), at: clock, id: anId });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        const facts = (value: string | null): Facts =>
          value === null ? { untags: ["a"] } : { tags: { a: value } };
        const { tags } = state(words.map(({ value, at, id }) => ({ facts: facts(value), at, id })));
        expect(tags.get("a")?.value).toBe(words.at(-1)?.value);
      }),
    );
  });

  test("so do a run's name and its status, and a time of end stays until the next one", () => {
    const word = fc.record({
      status: fc.constantFrom<RunStatus>("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"),
      endTime: fc.option(fc.integer({ min: 5_000, max: 5_003 }), { nil: undefined }),
      at: clock,
      id: anId,
    });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        const { core } = state(
          words.map(({ status, endTime, at, id }, i) => ({
            facts: { ...updated(status, endTime), fields: { run_name: `name ${i}` } },
            at,
            id,
          })),
        );
        const last = words.at(-1);
        const endTime = words.findLast((one) => one.endTime !== undefined)?.endTime ?? null;
        expect(runStateOf(core)).toMatchObject({ status: last?.status, endTime });
        expect(fieldOf(core, "run_name")).toBe(`name ${words.length - 1}`);
        expect(statusOf(core.lifecycle)).toBe(TRIAL_STATUS[last?.status ?? "RUNNING"] ?? "running");
      }),
    );
  });

  test("a start is what the client says, though its clock is ahead", () => {
    const { core } = state([
      { facts: { starts: true, run: { startTime: 9_000 } }, at: 10 },
      { facts: { tags: { a: "1" } }, at: 20 },
    ]);
    expect(core.startedAt).toBe(9_000);
    expect(core.run).toEqual({ status: "RUNNING", startTime: 9_000, endTime: null });
  });

  test("an end that was taken from MLflow is the run's, until its client speaks again", () => {
    const ended = {
      facts: { over: 1, ends: "failed", resumes: true, endedAt: 77 } as const,
      at: 30,
      type: "relay.mlflow",
    };
    const begun = { facts: updated("RUNNING"), at: 10 };
    expect(runStateOf(state([begun, ended]).core)).toMatchObject({ status: "FAILED", endTime: 77 });
    const again = state([begun, ended, { facts: updated("RUNNING"), at: 20 }]);
    expect(runStateOf(again.core)).toMatchObject({ status: "RUNNING", endTime: 77 });
    expect(endOf(again.core)).toBeNull();
  });

  test("silence closes no run of an MLflow client", () => {
    const quiet = {
      facts: { quiet: { heardAt: 10, as: "failed" } } as const,
      at: 90,
      type: "relay.trial.quiet",
    };
    const { core } = state([{ facts: updated("RUNNING"), at: 10 }, quiet]);
    expect(statusOf(core.lifecycle)).toBe("running");
    expect(runStateOf(core)).toMatchObject({ status: "RUNNING", lostContactAt: 10 });
  });
});
