import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  comparePoints,
  compareState,
  compareTexts,
  type ExpectedPoint,
  type FoundPoint,
  paired,
  type Standing,
} from "../../src/domain/compare.ts";
import { fromWire, sameMeaning, toWire } from "../../src/domain/values.ts";
import { storedValue } from "../../src/mlflow/json.ts";

const due = (): Standing => "due";
const kept = (step: number, value: number, seq = 1, timestamp = step): ExpectedPoint => ({
  seq,
  step,
  timestamp,
  value: toWire(value),
});
const found = (step: number, value: number, timestamp = step): FoundPoint => ({ step, timestamp, value });
const compare = (
  journal: readonly ExpectedPoint[],
  pages: readonly FoundPoint[][],
  standing: (point: ExpectedPoint) => Standing = due,
) => comparePoints(journal, pages, standing, storedValue);

describe("points", () => {
  test.each([
    ["NaN", Number.NaN, Number.NaN],
    ["infinity, which SQL stores clamp", Number.POSITIVE_INFINITY, Number.MAX_VALUE],
    ["its negative", Number.NEGATIVE_INFINITY, -Number.MAX_VALUE],
    ["infinity where it is kept", Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    ["minus zero", -0, 0],
    ["the least double", 5e-324, 5e-324],
  ])("%s is itself", (_, sent, stored) => {
    expect(compare([kept(1, sent)], [[found(1, stored)]])).toMatchObject({
      due: [{}],
      missing: [],
      extra: [],
      doubled: [],
    });
  });

  test("two values that the server stores as one are both there", () => {
    const journal = [kept(1, Number.POSITIVE_INFINITY), kept(1, Number.MAX_VALUE)];
    expect(compare(journal, [[found(1, Number.MAX_VALUE)]])).toMatchObject({ missing: [], extra: [] });
  });

  test("only what is due is missing", () => {
    const journal = [kept(1, 1, 1), kept(2, 1, 2), kept(3, 1, 3), kept(4, 1, 4)];
    const standing = ({ seq }: ExpectedPoint): Standing =>
      seq === 3 ? "explained" : seq === 4 ? "undelivered" : "due";
    expect(compare(journal, [[found(1, 1)]], standing)).toEqual({
      due: [journal[0], journal[1]],
      missing: [journal[1]],
      extra: [],
      doubled: [],
      undelivered: 1,
      explained: 1,
    });
  });

  test("what arrives while MLflow is read is not extra", () => {
    const result = compare([kept(1, 1, 9)], [[found(1, 1)]], () => "undelivered");
    expect(result).toMatchObject({ extra: [], undelivered: 0 });
  });

  test("a point twice in a page is doubled; again on the next page it was only pushed there", () => {
    const [a, b] = [found(1, 1), found(2, 2)];
    const journal = [kept(1, 1), kept(2, 2)];
    expect(compare(journal, [[a, b, b]])).toMatchObject({ doubled: [b], extra: [], missing: [] });
    expect(compare(journal, [[a, b], [b]])).toMatchObject({ doubled: [], extra: [], missing: [] });
  });

  test("steps beyond a double's integers are compared by their digits", () => {
    const far: FoundPoint = { step: 2n ** 60n, timestamp: 1, value: 1 };
    expect(compare([kept(1, 1)], [[found(1, 1), far]]).extra).toEqual([far]);
  });

  test("another value at the same step and time is a different point, not one missing and one extra", () => {
    const { missing, extra } = compare([kept(1, 1), kept(2, 2)], [[found(1, 5), found(3, 3)]]);
    expect(paired(missing, extra)).toEqual({
      missing: [kept(2, 2)],
      extra: [found(3, 3)],
      different: [{ expected: kept(1, 1), found: found(1, 5) }],
    });
  });

  const value = fc.constantFrom(
    0,
    1,
    -1,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  );
  const spot = fc.record({ step: fc.nat(6), timestamp: fc.nat(3), value });
  const spots = fc.uniqueArray(spot, {
    selector: ({ step, timestamp, value: v }) => `${step} ${timestamp} ${v}`,
    maxLength: 60,
  });
  const fate = fc.constantFrom("arrives", "is lost", "is a stranger's");

  test("for any points: what was lost is missing, what is a stranger's is extra, nothing else is said", () => {
    fc.assert(
      fc.property(spots, fc.array(fate, { minLength: 60, maxLength: 60 }), fc.nat(59), (all, fates, cut) => {
        const told = all.map((point, i) => ({ point, fate: fates[i] ?? "arrives" }));
        const journal = told
          .filter((one) => one.fate !== "is a stranger's")
          .map(({ point }) => ({ ...point, seq: 1, value: toWire(point.value) }));
        const there = told
          .filter((one) => one.fate !== "is lost")
          .map(({ point }) => ({ ...point, value: storedValue(point.value) }));
        // The last of one page comes again on the next, as when a point is logged between the two reads.
        const pages = [there.slice(0, cut), there.slice(Math.max(0, cut - 1))];
        const result = compare(journal, pages);
        const lost = told.filter((one) => one.fate === "is lost").map(({ point }) => point);
        const strangers = told.filter((one) => one.fate === "is a stranger's").map(({ point }) => point);
        const plain = (
          points: readonly { step: number | bigint; timestamp: number; value: number | string }[],
        ) => points.map((p) => `${p.step} ${p.timestamp} ${storedValue(fromWire(p.value))}`).sort();
        expect(plain(result.missing)).toEqual(plain(lost));
        expect(plain(result.extra)).toEqual(plain(strangers));
        expect(result.doubled).toEqual([]);
        expect(result.due).toHaveLength(journal.length);

        const pairs = paired(result.missing, result.extra);
        expect(pairs.missing.length + pairs.different.length).toBe(lost.length);
        expect(pairs.extra.length + pairs.different.length).toBe(strangers.length);
        for (const { expected, found: other } of pairs.different)
          expect([expected.step, expected.timestamp]).toEqual([other.step, other.timestamp]);
        const places = new Set(pairs.extra.map((p) => `${p.step} ${p.timestamp}`));
        for (const p of pairs.missing) expect(places).not.toContain(`${p.step} ${p.timestamp}`);
      }),
    );
  });
});

describe("parameters and tags", () => {
  const texts = [
    { key: "lr", value: "1e-4", seq: 1 },
    { key: "flag", value: "true", seq: 1 },
    { key: "gone", value: "x", seq: 2 },
    { key: "other", value: "1", seq: 3 },
    { key: "late", value: "y", seq: 9 },
    { key: "refused", value: "mine", seq: 4 },
  ];
  const there = new Map([
    ["lr", "0.0001"],
    ["flag", "True"],
    ["other", "2"],
    ["refused", "theirs"],
    ["a stranger's", "z"],
  ]);
  const standing = ({ key, seq }: { key: string; seq: number }): Standing =>
    seq > 8 ? "undelivered" : key === "refused" ? "explained" : "due";

  test("are compared by meaning or to the letter, and only what is due is missing", () => {
    expect(compareTexts(texts, there, standing, sameMeaning)).toEqual({
      due: texts.slice(0, 4),
      missing: [texts[2]],
      different: [{ ...texts[3], found: "2" }],
      undelivered: 1,
      explained: 1,
    });
    const literally = compareTexts(texts, there, standing, (a, b) => a === b);
    expect(literally.different.map(({ key }) => key)).toEqual(["lr", "flag", "other"]);
  });
});

test("a run's own state is compared field by field, and what is not expected is not looked at", () => {
  const running = { status: "RUNNING", startTime: 1, endTime: null, runName: "a", statusTag: null };
  const killed = { status: "KILLED", startTime: 2, endTime: 7, runName: "a", statusTag: "skipped" };
  expect(compareState({ ...running, startTime: null }, { ...killed, status: "RUNNING" })).toEqual([]);
  expect(compareState(killed, { ...running, runName: "b" })).toEqual([
    { field: "status", expected: "KILLED", found: "RUNNING" },
    { field: "start_time", expected: 2, found: 1 },
    { field: "end_time", expected: 7, found: null },
    { field: "run_name", expected: "a", found: "b" },
    { field: "thunderline_status", expected: "skipped", found: null },
  ]);
});
