import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  emptyCore,
  endOf,
  fieldOf,
  fieldsOf,
  isMarksOnly,
  marksOf,
  withMarks,
} from "../../src/domain/core.ts";
import { fold, type State, type StoredPoint } from "../../src/domain/fold.ts";
import { REASON_KEYS } from "../../src/domain/reasons.ts";
import { MAX_FIELD_BYTES, MAX_ROOM_BYTES } from "../../src/domain/room.ts";
import { schemas } from "../../src/domain/schemas.ts";
import { statusOf } from "../../src/domain/status.ts";
import type { Summary } from "../../src/domain/summary.ts";
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
    const inHelping = ({ seq }: { seq: number }) => seq > from && seq <= to;
    state = foldedOnto(state, events.filter(inHelping), points.filter(inHelping));
    from = to;
  }
  return state;
}

/** One helping: of the metrics only those are read that it says something of, and of the others one step is written. */
function foldedOnto(before: State, events: readonly StoredEvent[], points: readonly StoredPoint[]): State {
  const said = new Set([
    ...points.map(({ key }) => key),
    ...events.flatMap(({ facts }) => Object.keys(facts?.finals ?? {})),
  ]);
  const read = new Map([...before.metrics].filter(([key]) => said.has(key)));
  const { state, wentOnAt } = fold({ ...before, metrics: read }, events, points);
  const others = [...before.metrics].map(([key, known]): [string, Summary] => [
    key,
    { ...known, lastStep: known.lastStep ?? wentOnAt },
  ]);
  return { ...state, metrics: new Map([...others, ...state.metrics]) };
}

/** What must not depend on the order of acceptance: `seq` is that order, and the lifecycle is made of it. */
function essence({ core, params, tags, metrics }: State) {
  const { lifecycle, reasons: _, ...rest } = core;
  const withoutSeq = <T extends object>(map: Map<string, T>) =>
    Object.fromEntries(
      [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, { ...value, seq: 0 }]),
    );
  return {
    core: rest,
    status: statusOf(lifecycle),
    end: endOf(core),
    params: withoutSeq(params),
    fields: fieldsOf(core),
    tags: withoutSeq(shownTags(tags)),
    metrics: withoutSeq(metrics),
  };
}

const time = fc.integer({ min: 1_000, max: 1_012 });
const wireValue = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom("NaN", "Infinity", "-Infinity"));
const facts: fc.Arbitrary<Facts> = fc.record(
  {
    announces: fc.constant(true as const),
    ends: fc.constantFrom("succeeded" as const, "failed" as const, "skipped" as const, "cancelled" as const),
    fields: fc.dictionary(
      fc.constantFrom("rank", "run_name", "error_message", "stacktrace"),
      fc.integer({ min: 0, max: 3 }),
    ),
    // A parameter's value follows from its key, so that none conflicts.
    params: fc
      .subarray(["lr", "depth"])
      .map((keys) => Object.fromEntries(keys.map((key) => [key, `${key}-value`]))),
    endedAt: time,
    tags: fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom("x", "y")),
    defaults: fc.dictionary(fc.constantFrom("a", "c"), fc.constantFrom("x", "z")),
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

/** A reason's tag that was taken away, and one that was never there, are the same to everybody. */
const shownTags = (tags: State["tags"]) =>
  new Map(
    [...tags].filter(([key, { value }]) => value !== null || !REASON_KEYS.some((name) => name === key)),
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
        expect({ ...core, room: null }).toEqual({ ...once.core, room: null });
        expect(sorted(shownTags(tags)).map(([key, { value }]) => [key, value])).toEqual(
          sorted(shownTags(once.tags)).map(([key, { value }]) => [key, value]),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("one journal in any helpings: the same state, resumes and all", () => {
    const cut = fc.tuple(anything.map(journal), fc.array(fc.nat(12), { maxLength: 4 }));
    fc.assert(
      fc.property(cut, ([told, cuts]) => {
        const one = foldedIn(told, [...told.events.keys()]);
        const some = foldedIn(told, cuts);
        expect(some.core).toEqual(one.core);
        expect(sorted(some.metrics)).toEqual(sorted(one.metrics));
      }),
      { numRuns: 1_000 },
    );
  });

  test("a row that is left alone while only the marks move, and they kept apart: the same state, and nothing shown differs meanwhile", () => {
    const said = toldOf(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant<Facts>({}) },
        { weight: 1, arbitrary: facts },
        { weight: 1, arbitrary: resets },
        { weight: 1, arbitrary: quiet },
      ),
      types,
    );
    let left = 0;
    fc.assert(
      fc.property(said, (told) => {
        const { events, points } = journal(told);
        const own = (seq: number) => points.filter((point) => point.seq === seq);
        let whole = empty;
        let row = emptyCore;
        let marks = marksOf(emptyCore);
        for (const event of events) {
          const before = { ...whole, core: withMarks(row, marks) };
          whole = fold(whole, [event], own(event.seq)).state;
          const { core } = fold(before, [event], own(event.seq)).state;
          if (isMarksOnly(before.core, core)) left++;
          else row = core;
          marks = marksOf(core);
          expect(withMarks(row, marks)).toEqual(whole.core);
          expect([statusOf(row.lifecycle), endOf(row)]).toEqual([
            statusOf(whole.core.lifecycle),
            endOf(whole.core),
          ]);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(left).toBeGreaterThan(0);
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

describe("why a trial ended", () => {
  const told = (facts: Facts, at: number, type = "ml.trial"): Told => ({
    id: `e${at}`,
    type,
    occurredAt: at,
    acceptedAt: at,
    facts,
    points: [],
  });
  const failed = (at: number, error_message: string) =>
    told({ ends: "failed", fields: { error_message }, tags: { error_message } }, at);
  const ended = (ends: "succeeded" | "cancelled", at: number) => told({ ends }, at);
  const resume = (at: number) => told({ resumes: true }, at);
  const edited = (facts: Facts, at: number) => told(facts, at, "relay.mlflow");

  test.each<[string, Told[], string | null]>([
    ["is shown", [failed(1, "a")], "a"],
    ["is gone while the trial goes on", [failed(1, "a"), resume(2)], null],
    ["is gone from what finished after a resume", [failed(1, "a"), resume(2), ended("succeeded", 3)], null],
    [
      "is gone from what was cancelled after a resume",
      [failed(1, "a"), resume(2), ended("cancelled", 3)],
      null,
    ],
    ["is that of the new failure", [failed(1, "a"), resume(2), failed(3, "b")], "b"],
    ["is not brought back by an old end", [resume(2), failed(1, "a")], null],
    ["is gone from what succeeded without a word of resuming", [failed(1, "a"), ended("succeeded", 3)], null],
    ["stays on a failure that was cancelled later", [failed(1, "a"), ended("cancelled", 3)], "a"],
    ["is gone where MLflow's end stands", [failed(1, "a"), edited({ ends: "succeeded" }, 2)], null],
    ["is gone where MLflow's run goes on", [failed(1, "a"), edited({ resumes: true }, 2)], null],
  ])("%s, as a field and as a tag, in whatever helpings", (_, events, expected) => {
    for (const cuts of [[], [1], [1, 2], [2]]) {
      const { core, tags } = folded(events, cuts);
      expect(fieldsOf(core).error_message ?? null).toBe(expected);
      expect(tags.get("error_message")?.value ?? null).toBe(expected);
    }
  });
});

describe("what changes nothing", () => {
  const notesOf = (events: readonly Told[]) =>
    fold(empty, journal(events).events, []).notes.map(({ seq, warning: { field, action } }) => [
      seq,
      field,
      action,
    ]);
  const told = (facts: Facts, at: number, accepted = at): Told => ({
    id: `e${at} ${accepted}`,
    type: "ml.trial",
    occurredAt: at,
    acceptedAt: accepted,
    facts,
    points: [],
  });

  test.each<[string, Told[], unknown[]]>([
    [
      "an end that is outranked",
      [told({ ends: "succeeded" }, 1), told({ ends: "failed" }, 2)],
      [[2, "event", "outweighed"]],
    ],
    [
      "an end from before the resume",
      [told({ resumes: true }, 5, 6), told({ ends: "failed" }, 2, 7)],
      [[2, "event", "outweighed"]],
    ],
    [
      "an older tag",
      [told({ tags: { a: "x" } }, 5), told({ tags: { a: "y" } }, 2, 6)],
      [[2, "tags.a", "outweighed"]],
    ],
    [
      "an older field, which is a tag as well",
      [
        told({ fields: { rank: 1 }, tags: { rank: "1" } }, 5),
        told({ fields: { rank: 2 }, tags: { rank: "2" } }, 2, 6),
      ],
      [[2, "rank", "outweighed"]],
    ],
    [
      "older metadata of an end",
      [told({ fields: { end_metadata: { a: 1 } } }, 5), told({ fields: { end_metadata: { a: 2 } } }, 2, 6)],
      [[2, "metadata", "outweighed"]],
    ],
  ])("%s says so", (_, events, expected) => {
    expect(notesOf(events)).toEqual(expected);
  });

  test.each<[string, Told[]]>([
    ["an end", [told({ ends: "succeeded" }, 1)]],
    [
      "an end after a resume",
      [told({ ends: "failed" }, 1), told({ resumes: true }, 2), told({ ends: "cancelled" }, 3)],
    ],
    ["a stronger end", [told({ ends: "failed" }, 2), told({ ends: "succeeded" }, 1, 3)]],
    ["an older tag of the same value", [told({ tags: { a: "x" } }, 5), told({ tags: { a: "x" } }, 2, 6)]],
    ["a newer tag", [told({ tags: { a: "x" } }, 5), told({ tags: { a: "y" } }, 6)]],
  ])("%s that does change something says nothing", (_, events) => {
    expect(notesOf(events)).toEqual([]);
  });
});

describe("a state that is too large", () => {
  const event = (seq: number, facts: Facts): StoredEvent => ({
    seq,
    id: `e${seq}`,
    type: "ml.trial",
    occurredAt: seq,
    acceptedAt: seq,
    facts,
  });
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

  test.each([
    ["\u8a18", "cut"],
    ["\ud83d\ude00", "cut"],
    ["\u0001", "cut"],
    ["a", "cut"],
  ])("keeps a long text of %j in part", (char) => {
    const { state, notes } = fold(empty, [event(1, { fields: { artifact_uri: char.repeat(250_000) } })], []);
    const kept = fieldOf(state.core, "artifact_uri");
    expect(bytes(kept)).toBeLessThanOrEqual(MAX_FIELD_BYTES);
    expect(String(kept).length).toBeGreaterThan(1_000);
    expect(String(kept).isWellFormed()).toBe(true);
    expect(notes).toMatchObject([{ seq: 1, warning: { field: "artifact_uri", action: "cut" } }]);
  });

  test("leaves out what cannot be cut, and takes the next value", () => {
    const large = event(1, { fields: { metadata: { list: Array(100_000).fill(1) } } });
    const { state, notes } = fold(empty, [large], []);
    expect(fieldOf(state.core, "metadata")).toBeNull();
    expect(notes).toMatchObject([{ warning: { field: "metadata", action: "left_out" } }]);
    const after = fold(state, [event(2, { fields: { metadata: { a: 1 } } })], []);
    expect(fieldOf(after.state.core, "metadata")).toEqual({ a: 1 });
  });

  test("fits into a row of the database with everything that a trial's events can hold", () => {
    const names = new Set(Object.values(schemas).flatMap((schema) => Object.keys(schema.shape)));
    const texts = (prefix: string) =>
      Object.fromEntries([...names].map((name) => [name, prefix + "x".repeat(MAX_FIELD_BYTES)]));
    const ends = ["failed", "cancelled", "skipped"] as const;
    const events = [1, 2, 3, 4].flatMap((n) =>
      ends.map((kind, i) => ({
        ...event(n * 10 + i, { ends: kind, fields: { ...texts(kind), end_metadata: "x", user: "y" } }),
        occurredAt: 100 - n * 10 - i,
      })),
    );
    // Without the short ones, which the door bounds itself.
    expect(bytes(fold(empty, events, []).state.core)).toBeLessThan(4_000_000);
  });

  test("has room for so many parameters, tags and metrics, and leaves out the rest", () => {
    const many = (prefix: string) =>
      Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`${prefix}${n}`, "x".repeat(6_000)]));
    let state = empty;
    let left = 0;
    for (let n = 1; n <= 60; n++) {
      const folded = fold(state, [event(n, { params: many(`p${n}.`), tags: many(`t${n}.`) })], []);
      state = folded.state;
      left += folded.notes.length;
    }
    expect(left).toBeGreaterThan(0);
    expect(state.params.size + state.tags.size + left).toBe(2 * 30 * 60);
    for (const map of [state.params, state.tags]) expect(bytes([...map])).toBeLessThan(1.1 * MAX_ROOM_BYTES);
    const again = fold(state, [event(61, { tags: { "t1.0": "y" } })], []);
    expect(again.state.tags.get("t1.0")?.value).toBe("y");
  });
});
