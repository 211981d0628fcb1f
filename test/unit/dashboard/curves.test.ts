import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lengthOf, placeOf, toApi } from "../../../src/dashboard/client/lib/curves/axis.ts";
import { lonely, nearest, widened } from "../../../src/dashboard/client/lib/curves/columns.ts";
import { curvesCsv } from "../../../src/dashboard/client/lib/curves/csv.ts";
import { extended, held, NOTHING } from "../../../src/dashboard/client/lib/curves/curve.ts";
import { drawn, markWords } from "../../../src/dashboard/client/lib/curves/drawn.ts";
import { readFilter } from "../../../src/dashboard/client/lib/curves/filter.ts";
import { groupMetrics } from "../../../src/dashboard/client/lib/curves/groups.ts";
import { colorAt, dashOf } from "../../../src/dashboard/client/lib/curves/look.ts";
import { middleRange } from "../../../src/dashboard/client/lib/curves/outliers.ts";
import { smooth } from "../../../src/dashboard/client/lib/curves/smoothing.ts";
import {
  type CurvesState,
  DEFAULT_STATE,
  readState,
  writeState,
} from "../../../src/dashboard/client/lib/curves/state.ts";
import { type CurvePoint, joinCurve, stepBuckets } from "../../../src/domain/curve.ts";
import { Thinned } from "../../../src/domain/thinned.ts";

const PLAIN = { axis: "step", origin: 0, logX: false, logY: false, isThinned: false } as const;
const line = (...values: (number | string)[]) => values.map((value, i): CurvePoint => [i, i * 1000, value]);

describe("buckets of steps", () => {
  it("cover every step once, in order, about as many as are asked for", () => {
    const step = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
    fc.assert(
      fc.property(step, fc.nat(2 ** 40), fc.integer({ min: 4, max: 600 }), (first, span, count) => {
        const buckets = stepBuckets(first, first + span, count);
        expect(buckets.length).toBeLessThanOrEqual(count);
        expect([buckets[0]?.[0], buckets.at(-1)?.[1]]).toEqual([first, first + span]);
        for (const [i, [from, to]] of buckets.entries()) {
          expect(to).toBeGreaterThanOrEqual(from);
          if (i > 0) expect(from).toBe((buckets[i - 1]?.[1] ?? 0) + 1);
        }
      }),
    );
  });

  it("are as fine at the beginning as a logarithmic axis shows it", () => {
    const buckets = stepBuckets(0, 1_000_000, 400);
    expect(buckets.filter(([, to]) => to < 1_000).length).toBeGreaterThan(20);
  });
});

describe("a curve that grows", () => {
  it("has each point once, in order, and keeps what is outside of a zoom out of it", () => {
    const curve = { ...NOTHING, points: line(1, 2, 3) };
    const added: CurvePoint[] = [
      [5, 5, 9],
      [2, 2000, 3],
      [4, 4, "NaN"],
    ];
    expect(extended(curve, added).points).toEqual([...line(1, 2, 3), [4, 4, "NaN"], [5, 5, 9]]);
    expect(extended(curve, added, ([step]) => step < 5).points.at(-1)?.[0]).toBe(4);
  });

  it("stays short and keeps its extremes however long it grows", () => {
    let curve = NOTHING;
    for (let i = 0; i < 20; i++)
      curve = extended(
        curve,
        Array.from(
          { length: 1_000 },
          (_, j): CurvePoint => [i * 1_000 + j, 0, i === 3 && j === 77 ? -5 : j % 10],
        ),
      );
    expect(curve.points.length).toBeLessThanOrEqual(4_000);
    expect(curve.isThinned).toBe(true);
    expect(curve.points).toContainEqual([3_077, 0, -5]);
    expect(curve.points.at(-1)?.[0]).toBe(19_999);
  });

  it("is read from columns", () => {
    const shown = {
      trial: "a",
      run: null,
      key: "k",
      steps: [1, 2],
      timestamps: [5, 6],
      values: [0, "NaN"],
      thinned: true,
      unavailable: null,
    };
    expect(held(shown)).toEqual({
      points: [
        [1, 5, 0],
        [2, 6, "NaN"],
      ],
      isThinned: true,
      unavailable: null,
    });
  });

  it("joins to the same whatever its parts", () => {
    const points = fc.array(
      fc.tuple(fc.nat(50), fc.nat(3), fc.constantFrom<number | string>(0, 1, "NaN", "Infinity")),
    );
    fc.assert(
      fc.property(points, points, (a, b) => {
        const joined = joinCurve([a, b], Number.POSITIVE_INFINITY);
        expect(joinCurve([b, a, joined], Number.POSITIVE_INFINITY)).toEqual(joined);
        expect(new Set(joined.map(String)).size).toBe(joined.length);
      }),
    );
  });
});

describe("smoothing", () => {
  it("leaves a constant what it is, keeps gaps, and changes nothing at 0", () => {
    const xs = [0, 1, 5, 6, 100];
    expect(smooth(xs, [3, 3, null, 3, 3], 0.9).map((y) => y && Number(y.toFixed(9)))).toEqual([
      3,
      3,
      null,
      3,
      3,
    ]);
    expect(smooth(xs, [1, 5, 2, 8, 0], 0)).toEqual([1, 5, 2, 8, 0]);
    expect(smooth([7], [4], 0.5)).toEqual([4]);
    expect(smooth([], [], 0.5)).toEqual([]);
  });

  it("stays between the least and the greatest value, and is calmer the more it is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (values, weight) => {
          const smoothed = smooth(
            values.map((_, i) => i),
            values,
            weight,
          );
          for (const y of smoothed) {
            expect(y).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
            expect(y).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
          }
        },
      ),
    );
    const zigzag = Array.from({ length: 2_000 }, (_, i) => i % 2);
    const spread = (weight: number) => {
      const tail = smooth(
        zigzag.map((_, i) => i),
        zigzag,
        weight,
      )
        .slice(-100)
        .map(Number);
      return Math.max(...tail) - Math.min(...tail);
    };
    expect(spread(0.9)).toBeLessThan(spread(0.5));
    expect(spread(0.5)).toBeLessThan(1);
  });
});

describe("what is drawn", () => {
  it("breaks where there is no number, and marks it", () => {
    const { xs, ys, marks } = drawn(line(1, "NaN", 2, "Infinity", "-Infinity", "NaN"), PLAIN);
    expect([xs, ys]).toEqual([
      [0, 1, 2, 3, 4, 5],
      [1, null, 2, null, null, null],
    ]);
    expect(marks.map(({ x, kind }) => [x, kind])).toEqual([
      [1, "NaN"],
      [3, "Infinity"],
      [4, "-Infinity"],
      [5, "NaN"],
    ]);
    expect(markWords(marks)).toBe("2 NaN, 1 ∞, 1 -∞");
    expect(markWords([])).toBe("");
  });

  it("has no place for zero and less on a logarithmic axis, and says how many", () => {
    expect(drawn(line(0, -1, 5), { ...PLAIN, logY: true })).toMatchObject({ ys: [null, null, 5], beyond: 2 });
    expect(drawn(line(3, 4, 5), { ...PLAIN, logX: true })).toMatchObject({ xs: [1, 2], beyond: 1 });
  });

  it("breaks at a pause, but not where intervals only grow", () => {
    const at = (...steps: number[]) =>
      drawn(
        steps.map((step): CurvePoint => [step, 0, 1]),
        PLAIN,
      );
    expect(at(0, 1, 2, 100, 101, 102)).toMatchObject({
      xs: [0, 1, 2, 51, 100, 101, 102],
      ys: [1, 1, 1, null, 1, 1, 1],
    });
    expect(at(1, 10, 100, 1_000, 10_000, 100_000).ys).not.toContain(null);
  });

  it("is not broken by its thinning, whether it rises, falls or does both, but by a pause", () => {
    const breaks = (valueAt: (step: number) => number, steps: readonly number[]) => {
      const thinned = new Thinned(stepBuckets(steps[0] ?? 0, steps.at(-1) ?? 0, 500));
      for (const step of steps) thinned.add([step, 0, valueAt(step)]);
      const points = joinCurve([thinned.points()], 1_000);
      return drawn(points, { ...PLAIN, isThinned: true }).ys.filter((y) => y === null).length;
    };
    const steps = Array.from({ length: 20_000 }, (_, i) => i);
    const noise = (step: number) => (step * 2_654_435_761) % 4_294_967_296;
    for (const valueAt of [(step: number) => step, (step: number) => -step, Math.sin, noise]) {
      expect(breaks(valueAt, steps)).toBe(0);
      expect(breaks(valueAt, [...steps, ...steps.map((step) => step + 60_000)])).toBe(1);
    }
  });

  it("stands in order of x, by step, time, or time since the origin", () => {
    const point: CurvePoint = [7, 61_000, 1];
    expect([
      placeOf(point, "step", 1_000),
      placeOf(point, "time", 1_000),
      placeOf(point, "relative", 1_000),
    ]).toEqual([7, 61, 60]);
    const backwards: CurvePoint[] = [
      [1, 9_000, 1],
      [2, 3_000, 2],
    ];
    expect(drawn(backwards, { ...PLAIN, axis: "time" })).toMatchObject({ xs: [3, 9], ys: [2, 1] });
    expect(toApi([1.2, 3.4], "step")).toEqual({ from: 1, to: 4 });
    expect(toApi([1.2345, 3.4], "time")).toEqual({ from: 1_234, to: 3_400 });
  });

  it.each([
    [0, "0 s"],
    [0.25, "250 ms"],
    [59, "59 s"],
    [90, "1 min 30 s"],
    [3_600, "1 h"],
    [-7_260, "-2 h 1 min"],
    [200_000, "2 d 7 h"],
  ])("says %d seconds as %s", (seconds, words) => expect(lengthOf(seconds)).toBe(words));
});

describe("columns over the same places", () => {
  const none = undefined;

  it.each([
    [
      [1, null, 2, null, 3, 4],
      [0, 2],
    ],
    [[1, none, 2, null, none, 3], [5]],
    [[none, 1, none], [1]],
    [[null, null], []],
    [[], []],
  ])("%j: %j stand alone", (ys, expected) => expect(lonely(ys)).toEqual(expected));

  it.each([
    [0, 0, 1],
    [2, 2.1, 1],
    [2, 2.9, 4],
    [4, 4, 4],
    [5, 5, 4],
  ])("the value nearest to place %d (%d) is at %d", (at, x, expected) =>
    expect(nearest([0, 1, 2, 3, 4, 5], [none, 7, none, null, 8, none], at, x)).toBe(expected),
  );

  it("without a value the place itself is", () => expect(nearest([0, 1], [null, none], 1, 1)).toBe(1));

  it("one place alone has room", () => {
    expect([widened([5, 5], false), widened([4, 4], true), widened([1, 2], false)]).toEqual([
      [4.5, 5.5],
      [2, 8],
      [1, 2],
    ]);
    expect([widened([null, null], false), widened([null, null], true)]).toEqual([
      [0, 1],
      [1, 10],
    ]);
  });
});

describe("metrics", () => {
  it("are grouped by what stands before the first slash or dot", () => {
    expect(groupMetrics(["val/loss", "train/acc10", "train/acc2", "loss", "val.f1/top"])).toEqual([
      { prefix: "", keys: ["loss"] },
      { prefix: "train", keys: ["train/acc2", "train/acc10"] },
      { prefix: "val", keys: ["val.f1/top", "val/loss"] },
    ]);
  });

  it.each([
    ["loss|acc", "val/LOSS", true],
    ["^train/.*loss$", "train/a/loss", true],
    ["^train/", "val/train/x", false],
    ["a\\.b", "a.b", true],
    ["[*+{(]x", "loss", false],
    ["", "anything", true],
  ])("are filtered by %j: %j %j", (pattern, key, expected) => {
    const filter = readFilter(pattern);
    expect(filter.ok && filter.test(key)).toBe(expected);
  });

  it.each([
    "(a+)+$",
    "(a|aa)*b",
    "(?=a)b",
    "(a)\\1",
    "\\k<n>",
    "a*b*c*d",
    "a{1,99}b{1,99}c+",
    "[",
    "(",
    "x".repeat(101),
    "(?:a*)?",
  ])("are not filtered by %j, and it is said why", (pattern) => {
    expect(readFilter(pattern)).toEqual({ ok: false, rule: expect.stringMatching(/^must /) });
  });
});

describe("outliers", () => {
  const calm = Array.from({ length: 100 }, (_, i) => i);
  it("are left out of the range at both ends, of all columns together, as far as they are in view", () => {
    expect(middleRange([calm, [1e9, -1e9, null, undefined]], 0, 99)).toEqual([4, 95]);
    expect(middleRange([[1e9, ...calm]], 1, 100)).toEqual([5, 94]);
  });
  it("are none among few values, and of nothing there is no range", () => {
    expect(middleRange([[5, 1, 1e9]], 0, 2)).toEqual([1, 1e9]);
    expect(middleRange([[null]], 0, 0)).toBeNull();
  });
});

describe("the address", () => {
  it("has all of how curves are shown, and keeps what is another's", () => {
    const state: CurvesState = {
      axis: "relative",
      logX: true,
      logY: true,
      ignoresOutliers: true,
      smoothing: 0.6,
      metrics: "^a&b",
      zoom: [0.1, 1e9],
      hidden: ["trial a", "run b"],
    };
    const written = writeState(new URLSearchParams("trials=a,b&x=step"), state);
    expect(written.get("trials")).toBe("a,b");
    expect(readState(new URLSearchParams(written.toString()))).toEqual(state);
    expect(writeState(written, DEFAULT_STATE).toString()).toBe("trials=a%2Cb");
  });

  it.each([
    "x=nothing",
    "zoom=5~1",
    "zoom=a~b",
    "zoom=1",
    "zoom=1~2~3",
    "zoom=~5",
    "zoom=-Infinity~1",
    "smooth=-3",
    "smooth=NaN",
    "log=",
    "hidden=,",
  ])("that makes no sense is as if it were not there: %s", (query) =>
    expect(readState(new URLSearchParams(query))).toEqual(DEFAULT_STATE),
  );

  it("smooths no more than there is", () =>
    expect(readState(new URLSearchParams("smooth=7")).smoothing).toBe(0.99));
});

it("trials have colours that go round, and lines with spectral_norm are dashed", () => {
  expect(new Set(Array.from({ length: 20 }, (_, i) => colorAt(i))).size).toBe(20);
  expect(colorAt(20)).toBe(colorAt(0));
  expect([dashOf(true)?.length, dashOf(false), dashOf(null)]).toEqual([2, undefined, undefined]);
});

it("CSV is quoted, and is no formula", () => {
  const curves = [
    { name: '=cmd|"x"', points: line(1) },
    { name: "a,b", points: [[-1, 0, "-Infinity"] as const] },
  ];
  expect(curvesCsv("val/loss", curves)).toBe(
    'trial,metric,step,time,value\r\n"\'=cmd|""x""",val/loss,0,1970-01-01T00:00:00.000Z,1\r\n"a,b",val/loss,-1,1970-01-01T00:00:00.000Z,-Infinity\r\n',
  );
});

it("CSV has a point whose time no calendar has", () => {
  const text = curvesCsv("loss", [{ name: "a", points: [[1, Number.MAX_SAFE_INTEGER, 2]] }]);
  expect(text).toBe("trial,metric,step,time,value\r\na,loss,1,9999-12-31T23:59:59.999Z,2\r\n");
});
