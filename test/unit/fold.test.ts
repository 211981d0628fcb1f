import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyCore, endOf, fold, type State, type StoredPoint } from "../../src/domain/fold.ts";
import { statusOf } from "../../src/domain/status.ts";
import type { Facts, StoredEvent } from "../../src/domain/types.ts";

const empty: State = { core: emptyCore, params: new Map(), tags: new Map(), metrics: new Map() };

/** A journal: each distinct event once, in the order given, with its points, as the database would keep it. */
function journal(events: readonly Told[]): { events: StoredEvent[]; points: StoredPoint[] } {
  const seen = new Set<string>();
  const points = new Map<string, StoredPoint>();
  const stored: StoredEvent[] = [];
  for (const { points: own, ...event } of events) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    const seq = stored.length + 1;
    stored.push({ ...event, seq });
    for (const point of own) {
      const identity = JSON.stringify([point.key, point.step, point.timestamp, point.value]);
      if (!points.has(identity)) points.set(identity, { ...point, seq });
    }
  }
  return { events: stored, points: [...points.values()] };
}

type Told = Omit<StoredEvent, "seq"> & { points: Omit<StoredPoint, "seq">[] };

/** Folds in helpings cut at `cuts`, as the consumer does. */
function folded(told: readonly Told[], cuts: readonly number[] = []): State {
  return foldedIn(journal(told), cuts);
}

function foldedIn({ events, points }: ReturnType<typeof journal>, cuts: readonly number[]): State {
  const bounds = [...new Set([...cuts.map((cut) => cut % (events.length + 1)), events.length])].sort(
    (a, b) => a - b,
  );
  let state = empty;
  let from = 0;
  for (const to of bounds) {
    const inHelping = (seq: number) => seq > from && seq <= to;
    state = fold(
      state,
      events.filter((e) => inHelping(e.seq)),
      points.filter((p) => inHelping(p.seq)),
    ).state;
    from = to;
  }
  return state;
}

/** What must not depend on the order of acceptance: `seq` is that order, and the lifecycle is made of it. */
function essence({ core, params, tags, metrics }: State) {
  const { lifecycle, ...rest } = core;
  const withoutSeq = <T extends object>(map: Map<string, T>) =>
    Object.fromEntries(
      [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, { ...value, seq: 0 }]),
    );
  return {
    core: rest,
    status: statusOf(lifecycle),
    end: endOf(core),
    params: withoutSeq(params),
    tags: withoutSeq(tags),
    metrics: withoutSeq(metrics),
  };
}

const time = fc.integer({ min: 1_000, max: 1_012 });
const wireValue = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom("NaN", "Infinity", "-Infinity"));
const facts: fc.Arbitrary<Facts> = fc.record(
  {
    announces: fc.constant(true as const),
    ends: fc.constantFrom("succeeded" as const, "failed" as const, "skipped" as const, "cancelled" as const),
    fields: fc.dictionary(fc.constantFrom("rank", "run_name"), fc.integer({ min: 0, max: 3 })),
    // A parameter's value follows from its key, so that none conflicts.
    params: fc
      .subarray(["lr", "depth"])
      .map((keys) => Object.fromEntries(keys.map((key) => [key, `${key}-value`]))),
    endedAt: time,
    tags: fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom("x", "y")),
    untags: fc.subarray(["a", "b"]),
    finals: fc.dictionary(fc.constantFrom("loss", "acc"), wireValue),
  },
  { requiredKeys: [] },
);
/** What stands over all that was accepted before: a resume, or what an operator or MLflow says. */
const resets: fc.Arbitrary<Facts> = fc.oneof(
  fc.constant<Facts>({ announces: true, resumes: true }),
  fc.record(
    {
      resumes: fc.constant(true as const),
      ends: fc.constantFrom("succeeded" as const, "failed" as const),
      endedAt: time,
      over: fc.nat(12),
    },
    { requiredKeys: ["resumes"] },
  ),
);
const quiet: fc.Arbitrary<Facts> = fc.record(
  {
    quiet: fc.record({
      heardAt: time,
      as: fc.constantFrom("left" as const, "failed" as const, "cancelled" as const),
    }),
    over: fc.nat(12),
  },
  { requiredKeys: ["quiet"] },
);
const types = fc.constantFrom("ml.trial.start", "relay.mlflow");
const toldOf = (facts: fc.Arbitrary<Facts>, type: fc.Arbitrary<string>): fc.Arbitrary<Told[]> =>
  fc
    .array(
      fc.record({
        occurredAt: time,
        acceptedAt: time,
        type,
        facts,
        points: fc.array(
          fc.record({
            key: fc.constantFrom("loss", "acc"),
            step: fc.integer({ min: 0, max: 4 }),
            timestamp: time,
            value: wireValue,
          }),
          { maxLength: 3 },
        ),
      }),
      { minLength: 1, maxLength: 12 },
    )
    .map((list) => list.map((event, i) => ({ ...event, id: `e${i}` })));

/** What a trainer that never resumes says. */
const plain = toldOf(facts, fc.constant("ml.trial.start"));
const anything = toldOf(
  fc.oneof(
    { weight: 4, arbitrary: facts },
    { weight: 2, arbitrary: resets },
    { weight: 1, arbitrary: quiet },
  ),
  types,
);

const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

describe("the fold", () => {
  test("whatever the order of acceptance, any duplicates, any helpings: the same state", () => {
    const shuffledTwice = plain.chain((events) =>
      fc.tuple(
        fc.constant(events),
        fc.shuffledSubarray([...events, ...events], { minLength: 2 * events.length }),
        fc.array(fc.nat(30), { maxLength: 4 }),
      ),
    );
    fc.assert(
      fc.property(shuffledTwice, ([events, mixed, cuts]) => {
        expect(essence(folded(mixed, cuts))).toEqual(essence(folded(events)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("one journal in any order of folding, any duplicates: the same state, resumes and all", () => {
    const shuffledTwice = anything.chain((events) => {
      const { events: stored, points } = journal(events);
      return fc.tuple(
        fc.constant({ events: stored, points }),
        fc.shuffledSubarray([...stored, ...stored], { minLength: 2 * stored.length }),
      );
    });
    fc.assert(
      fc.property(shuffledTwice, ([inOrder, mixed]) => {
        const once = foldedIn({ ...inOrder, points: [] }, []);
        // Summaries count what the journal holds once, and a parameter's first value is told by its order.
        const { core, tags } = fold(empty, mixed, []).state;
        expect({ core, tags: sorted(tags) }).toEqual({ core: once.core, tags: sorted(once.tags) });
      }),
      { numRuns: 2_000 },
    );
  });

  test("a parameter's first accepted value stands, and another is a conflict", () => {
    const event = (seq: number, value: string): StoredEvent => ({
      seq,
      id: `e${seq}`,
      type: "ml.trial.start",
      occurredAt: 10 - seq,
      acceptedAt: 0,
      facts: { params: { lr: value } },
    });
    const { state, conflicts } = fold(empty, [event(1, "0.1"), event(2, "0.2"), event(3, "0.10")], []);
    expect(state.params.get("lr")).toEqual({ value: "0.1", seq: 1 });
    expect(conflicts).toEqual([{ key: "lr", kept: "0.1", refused: "0.2", eventId: "e2" }]);
  });
});
