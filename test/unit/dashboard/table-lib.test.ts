import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregateOf } from "../../../src/dashboard/client/lib/aggregate.ts";
import { axisOf, placeOn } from "../../../src/dashboard/client/lib/axes.ts";
import { bestTrials } from "../../../src/dashboard/client/lib/best-trials.ts";
import { readBrushes } from "../../../src/dashboard/client/lib/brushes.ts";
import { aggregateText, cellText } from "../../../src/dashboard/client/lib/cell-text.ts";
import { readCompareState, writeCompareState } from "../../../src/dashboard/client/lib/compare-state.ts";
import { csvOf } from "../../../src/dashboard/client/lib/csv.ts";
import { differencesOf } from "../../../src/dashboard/client/lib/differences.ts";
import { placeAfter } from "../../../src/dashboard/client/lib/grid-keys.ts";
import { inHelpings } from "../../../src/dashboard/client/lib/helpings.ts";
import { bestOverTime } from "../../../src/dashboard/client/lib/over-time.ts";
import { rankCorrelation } from "../../../src/dashboard/client/lib/rank-correlation.ts";
import { allColumns, firstColumns, shownColumns } from "../../../src/dashboard/client/lib/shown-columns.ts";
import { adoption, spectralSides } from "../../../src/dashboard/client/lib/spectral.ts";
import { dataOf, withCells, withColumns } from "../../../src/dashboard/client/lib/table-data.ts";
import {
  FIRST_PINS,
  fitsIntoAddress,
  moved,
  nextSort,
  readTableState,
  writeTableState,
} from "../../../src/dashboard/client/lib/table-state.ts";
import { type Cell, orderOf } from "../../../src/domain/cell-order.ts";
import { bestIs, columnOf, joinList, nameOf, splitList } from "../../../src/domain/table-columns.ts";

describe("a list in an address", () => {
  it("comes back as it was, whatever is in its items", () => {
    const items = fc.array(fc.string({ minLength: 1, unit: "binary" }), { minLength: 1 });
    fc.assert(
      fc.property(items, (list) => {
        expect(splitList(joinList(list))).toEqual(list);
      }),
    );
  });
});

describe("a column's name", () => {
  it("comes back as it was", () => {
    for (const name of ["status", "params.a.b", "metrics.val/loss", "best. ", "tags.x,y"]) {
      const column = columnOf(name);
      expect(column && nameOf(column)).toBe(name);
    }
    for (const name of ["", "params", "params.", "nowhere.x", "Status"]) expect(columnOf(name)).toBeNull();
  });

  it.for([
    ["loss", "min"],
    ["val_loss", "min"],
    ["train/MSE", "min"],
    ["valError", "min"],
    ["accuracy", "max"],
    ["f1", "max"],
    ["glossary", "max"],
    ["terror_score", "max"],
  ] as const)("%s is best at its %s", ([metric, best]) => expect(bestIs(metric)).toBe(best));
});

describe("cells are sorted", () => {
  const cells: Cell[] = ["b", 2, null, "1e-3", "NaN", "Infinity", "a", "10", true, "-Infinity"];
  const sorted = (descending: boolean) => orderOf(cells, descending).map((place) => cells[place]);

  it("by number before text, with what has no value last whichever way", () => {
    expect(sorted(false)).toEqual(["-Infinity", "1e-3", 2, "10", "Infinity", "a", "b", true, "NaN", null]);
    expect(sorted(true)).toEqual([true, "b", "a", "Infinity", "10", 2, "1e-3", "-Infinity", "NaN", null]);
  });

  it("so that each is there once and equal ones stay in order", () => {
    const any = fc.array(fc.oneof(fc.double(), fc.string(), fc.constant(null), fc.boolean()));
    fc.assert(
      fc.property(any, fc.boolean(), (list, descending) => {
        const places = orderOf(list, descending);
        expect(places.toSorted((a, b) => a - b)).toEqual([...list.keys()]);
        for (const [i, place] of places.entries()) {
          const next = places[i + 1];
          if (next !== undefined && Object.is(list[place], list[next])) expect(place).toBeLessThan(next);
        }
      }),
    );
  });
});

describe("the state of a table", () => {
  it("is nothing in the address at first, and comes back as it was", () => {
    expect(String(writeTableState(readTableState(new URLSearchParams()), new URLSearchParams()))).toBe("");
    const names = fc.uniqueArray(fc.constantFrom("status", "params.a,b", "metrics.x\\", "tags.🎉"));
    const state = fc.record({
      columns: fc.option(names),
      pins: fc.oneof(names, fc.constant(FIRST_PINS)),
      sort: fc.option(fc.constantFrom("-status", "params.a,b")),
      filter: fc.constantFrom("", "metrics.loss < 1 AND params.a = 'x&y'"),
      spectral: fc.option(fc.boolean()),
      group: fc.option(fc.constantFrom("params.a,b")),
      differs: fc.boolean(),
    });
    fc.assert(
      fc.property(state, (given) => {
        const address = String(writeTableState(given, new URLSearchParams("other=1")));
        expect(address).toContain("other=1");
        expect(readTableState(new URLSearchParams(address))).toEqual(given);
      }),
    );
  });

  it("sorts one way, the other, and then no more", () => {
    expect(nextSort(null, "metrics.acc", true)).toBe("-metrics.acc");
    expect(nextSort("-metrics.acc", "metrics.acc", true)).toBe("metrics.acc");
    expect(nextSort("metrics.acc", "metrics.acc", true)).toBeNull();
    expect(nextSort("metrics.acc", "status", false)).toBe("status");
  });

  it("moves a column", () => {
    expect(moved(["a", "b", "c"], "a", 2)).toEqual(["b", "c", "a"]);
    expect(moved(["a", "b", "c"], "c", -1)).toEqual(["c", "a", "b"]);
    expect(moved(["a", "b"], "new", 9)).toEqual(["a", "b", "new"]);
  });
});

describe("the columns that are shown", () => {
  const known = [
    { kind: "params", key: "lr", trials: 3, differs: true },
    { kind: "params", key: "same", trials: 3, differs: false },
    { kind: "metrics", key: "loss", trials: 3, differs: true },
    { kind: "metrics", key: "flat", trials: 3, differs: false },
    { kind: "tags", key: "mlflow.user", trials: 3, differs: true },
    { kind: "tags", key: "team", trials: 3, differs: true },
  ] as const;
  const state = readTableState(new URLSearchParams());

  it("are at first a few that tell trials apart", () => {
    const first = firstColumns(known);
    expect(first).toContain("params.lr");
    expect(first).not.toContain("params.same");
    expect(first).toContain("metrics.loss");
  });

  it("may be any but what the relay writes itself", () => {
    const all = allColumns(known);
    expect(all).toContain("best.loss");
    expect(all).toContain("tags.team");
    expect(all).not.toContain("tags.mlflow.user");
  });

  it("begin with the group and the pins, each once, and leave out what is the same everywhere if so wished", () => {
    const columns = ["status", "params.same", "max.flat", "params.lr", "nonsense"];
    const chosen = { ...state, columns, group: "params.lr" };
    expect(shownColumns(chosen, known, [])).toEqual([
      "params.lr",
      "trial_id",
      "status",
      "params.same",
      "max.flat",
    ]);
    expect(shownColumns({ ...chosen, differs: true }, known, [])).toEqual([
      "params.lr",
      "trial_id",
      "status",
    ]);
  });
});

const trialsNamed = (ids: string[]) => ({
  id: ids,
  model_run_id: ids.map(() => "study"),
  trial_id: ids,
  run_name: ids.map(() => null),
  status: ids.map(() => "running" as const),
  spectral_norm: ids.map(() => null),
  sync_state: ids.map(() => "synced" as const),
  started_at: ids.map(() => null),
  ended_at: ids.map(() => null),
  duration_ms: ids.map(() => null),
  rank: ids.map(() => null),
  mlflow_run_id: ids.map(() => null),
});

describe("data by columns", () => {
  it("takes columns of another answer up by the trials' ids", () => {
    const data = dataOf({ trials: trialsNamed(["a", "b", "c"]), columns: [], more: false });
    const more = {
      trials: trialsNamed(["c", "new", "a"]),
      columns: [{ name: "params.x", values: ["3", "9", "1"] }],
      more: false,
    };
    const taken = withColumns(data, more);
    expect(taken.values.get("params.x")).toEqual(["1", null, "3"]);
    const whole = {
      ...more,
      trials: trialsNamed(["c"]),
      columns: [{ name: "params.x", values: ["3 whole"] }],
    };
    expect(withCells(taken, whole).values.get("params.x")).toEqual(["1", null, "3 whole"]);
  });
});

describe("groups", () => {
  it("are aggregated by their finite numbers", () => {
    expect(aggregateOf([1, "2", 3, "NaN", null, "Infinity", "text"])).toEqual({
      count: 3,
      mean: 2,
      min: 1,
      max: 3,
      std: 1,
    });
    expect(aggregateOf([7])).toEqual({ count: 1, mean: 7, min: 7, max: 7, std: null });
    expect(aggregateOf([null, "NaN"])).toBeNull();
    const large = aggregateOf([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]);
    expect(large?.std).toBeCloseTo(Math.sqrt(30), 6);
  });
});

describe("CSV", () => {
  it.for([
    [[1, null, "a"], "1,,a"],
    [['say "hi"', "a,b", "x\ny"], '"say ""hi""","a,b","x\ny"'],
    [["=1+1", "+cmd", "-2+3", "@x", "\tx"], `'=1+1,'+cmd,'-2+3,'@x,'\tx`],
    [["-1.5e-3", "+2", "-Infinity", -3], "-1.5e-3,+2,-Infinity,-3"],
    [[" a ", true], '" a ",true'],
  ] as const)("%j is %s", ([row, line]) => expect(csvOf([row])).toBe(`\ufeff${line}\r\n`));

  it("gives every field back to who reads it by the standard, but for the guard of formulas", () => {
    const field = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(fc.array(field, { minLength: 2, maxLength: 4 }), (row) => {
        expect(fieldsIn(csvOf([row]).slice(1, -2))).toEqual(
          row.map((text) => (/^[=+\-@\t\r]/.test(text) && !/^[+-]?\.?\d/.test(text) ? `'${text}` : text)),
        );
      }),
      { examples: [[["\r", '"']]] },
    );
  });
});

/** A reader of one record of RFC 4180. */
function fieldsIn(record: string): string[] {
  return [...`${record},`.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*)),/gs)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}

describe("rank correlation", () => {
  it.for([
    [[1, 2, 3, 4], [10, 100, 1000, 10_000], 1, 4],
    [["1", "1e1", "100"], [3, 2, 1], -1, 3],
    // By hand: ranks 1.5, 1.5, 3, 4 and 1, 3, 2, 4.
    [[1, 1, 2, 3], [1, 3, 2, 4], 0.6324555, 4],
    [["adam", "sgd", "adam", "sgd"], [1, 5, 2, 6], 0.8944272, 4],
    [[1, null, 2, "NaN", 3], [1, 5, 2, 7, 9], 1, 3],
    [["-Infinity", 1, "Infinity"], [1, 2, 3], 1, 3],
  ] as const)("of %j and %j is %d", ([xs, ys, rho, pairs]) => {
    const found = rankCorrelation(xs, ys);
    expect(found?.rho).toBeCloseTo(rho, 6);
    expect(found?.pairs).toBe(pairs);
  });

  it("is none of what does not vary, has no order, or is too little", () => {
    expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBeNull();
    expect(rankCorrelation(["a", "b", "c"], [1, 2, 3])).toBeNull();
    expect(rankCorrelation([1, 2], [1, 2])).toBeNull();
  });

  it("is within -1 and 1, the same both ways, and blind to how values are scaled", () => {
    const pair = fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 }));
    fc.assert(
      fc.property(fc.array(pair, { minLength: 3, maxLength: 40 }), (pairs) => {
        const [xs, ys] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
        const one = rankCorrelation(xs, ys);
        if (one) expect(Math.abs(one.rho)).toBeLessThanOrEqual(1);
        expect(rankCorrelation(ys, xs)?.rho ?? 2).toBeCloseTo(one?.rho ?? 2, 9);
        expect(
          rankCorrelation(
            xs.map((x) => x ** 3),
            ys,
          )?.rho ?? null,
        ).toBe(one?.rho ?? null);
      }),
    );
  });
});

it("the best over time only gets better", () => {
  const at = (second: number) => new Date(second * 1000).toISOString();
  const moments = bestOverTime([at(3), at(1), null, at(2), at(4)], [5, 7, 1, "NaN", "3"], "min");
  expect(moments.map(({ place, best, isBetter }) => [place, best, isBetter])).toEqual([
    [1, 7, true],
    [0, 5, true],
    [4, 3, true],
  ]);
  expect(bestOverTime([at(1), at(2)], [1, 2], "min").map(({ best }) => best)).toEqual([1, 1]);
});

it("with and without spectral normalisation stand side by side", () => {
  const flags = [true, false, true, null, true];
  const [on, off, unknown] = spectralSides(flags, [1, 5, "3", 9, "NaN"]);
  expect(on).toMatchObject({ trials: 3, box: { min: 1, q1: 1.5, median: 2, q3: 2.5, max: 3, mean: 2 } });
  expect(off?.box).toMatchObject({ median: 5 });
  expect(unknown?.trials).toBe(1);
  expect(adoption(flags)).toBe(0.75);
  expect(adoption([null])).toBeNull();
});

describe("a cell in words", () => {
  it.for([
    ["params.lr", "0.00031622776601683794", "0.00031623"],
    ["params.seed", "123456789012345678", "123456789012345678"],
    ["params.name", "a".repeat(20), "a".repeat(20)],
    ["metrics.loss", "-Infinity", "-∞"],
    ["metrics.loss", 1 / 3, "0.33333"],
    ["spectral_norm", true, "on"],
    ["duration_ms", 61_000, "1 min 1 s"],
    ["status", null, ""],
  ] as const)("of %s, %s is %s", ([column, cell, text]) => expect(cellText(column, cell)).toBe(text));

  it("of a group is its mean and how far its values are from it", () => {
    const group = { count: 3, mean: 0.928571, min: 0, max: 2, std: 0.934198 };
    expect(aggregateText("metrics.loss", group)).toBe("0.9286 ± 0.93");
    expect(aggregateText("metrics.loss", { ...group, std: null })).toBe("0.9286");
  });
});

describe("an axis", () => {
  it.for([
    [["0.1", "0.001", 1], "log"],
    [[1, 2, 3], "value"],
    [[0, 1, 1000], "value"],
    [["adam", "sgd", null], "category"],
  ] as const)("of %j is a %s", ([cells, kind]) => expect(axisOf(cells)?.kind).toBe(kind));

  it("may be the other way round, but never a log of nothing", () => {
    expect(axisOf([1, 2], true)?.kind).toBe("log");
    expect(axisOf([1, 1000], true)?.kind).toBe("value");
    expect(axisOf([0, 1], true)?.kind).toBe("value");
    expect(axisOf([null, "NaN"])).toBeNull();
    expect(axisOf(Array.from({ length: 41 }, (_, i) => `name ${i}`))).toBeNull();
  });

  it("has a place for what is on it only", () => {
    const log = { kind: "log", min: 1, max: 10 } as const;
    expect([1, "5", 0, null, "NaN", "Infinity"].map((cell) => placeOn(log, cell))).toEqual([
      1,
      5,
      null,
      null,
      null,
      null,
    ]);
    expect(placeOn({ kind: "category", names: ["a", "b"] }, "b")).toBe(1);
  });
});

describe("the keyboard in a grid", () => {
  const size = { rows: 100, columns: 5 };
  const after = (key: string, ctrlKey = false) =>
    placeAfter({ key, ctrlKey, metaKey: false }, { row: 50, column: 2 }, size, 20);
  it.for([
    ["ArrowUp", false, { row: 49, column: 2 }],
    ["ArrowRight", false, { row: 50, column: 3 }],
    ["ArrowLeft", true, { row: 50, column: 0 }],
    ["ArrowUp", true, { row: -1, column: 2 }],
    ["PageDown", false, { row: 70, column: 2 }],
    ["End", true, { row: 99, column: 4 }],
    ["Home", false, { row: 50, column: 0 }],
    ["x", false, null],
  ] as const)("%s (with control: %s) leads to %j", ([key, ctrl, place]) =>
    expect(after(key, ctrl)).toEqual(place),
  );
});

it("a comparison's state comes back as it was", () => {
  const state = {
    metric: "best.loss",
    x: "params.a,b",
    y: null,
    toggled: ["params.a,b", "metrics.x"],
    brushes: [
      { name: "params.a,b~c", from: -1e-7, to: 0.25 },
      { name: "status", from: 0, to: 2 },
    ],
  };
  const query = String(writeCompareState(state, new URLSearchParams("trials=a,b")));
  expect(query).toContain("trials=a");
  expect(readCompareState(new URLSearchParams(query))).toEqual(state);
});

it.each(["x", "~1~2", "a~1", "a~b~2", "a~2~1", "a~1~Infinity"])("%s is no brush", (text) => {
  expect(readBrushes(text)).toEqual([]);
});

it("the best trials are those with the least loss, or the greatest of what is better greater", () => {
  const data = dataOf({
    trials: trialsNamed(["a", "b", "c", "d"]),
    columns: [
      { name: "metrics.loss", values: [2, null, 1, "NaN"] },
      { name: "best.accuracy", values: [0.1, 0.3, "NaN", 0.2] },
    ],
    more: false,
  });
  expect(bestTrials(data, "metrics.loss", 2)).toEqual(["c", "a"]);
  expect(bestTrials(data, "best.accuracy", 4)).toEqual(["b", "d", "a", "c"]);
});

describe("what differs", () => {
  it("is told by meaning", () => {
    const data = dataOf({
      trials: trialsNamed(["a", "b"]),
      columns: [
        { name: "params.same", values: ["1", "1.0"] },
        { name: "params.other", values: ["x", null] },
      ],
      more: false,
    });
    expect(differencesOf(data, ["status", "params.same", "params.other", "params.unread"])).toEqual([
      { name: "params.other", cells: ["x", null], distinct: 2 },
    ]);
  });
});

it("an address has all columns, or none where they are more than any address takes", () => {
  const of = (count: number) => {
    const columns = Array.from({ length: count }, (_, i) => `best.group ${i % 20}/metric ${i}`);
    const state = { ...readTableState(new URLSearchParams("sort=rank")), columns };
    return { columns, fits: fitsIntoAddress(state), query: writeTableState(state, new URLSearchParams()) };
  };
  const [few, many] = [of(300), of(2_000)];
  expect(readTableState(few.query)).toMatchObject({ columns: few.columns, sort: "rank" });
  expect(readTableState(many.query)).toMatchObject({ columns: null, sort: "rank" });
  expect([few.fits, many.fits, of(0).fits]).toEqual([true, false, true]);
});

describe("what is asked for", () => {
  const name = fc.oneof(fc.string({ unit: "binary", maxLength: 250 }), fc.constant("損".repeat(250)));

  it("is all of it in its order, in addresses that Cloudflare takes", () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), fc.integer({ min: 1, max: 50 }), (names, most) => {
        const helpings = inHelpings(names, most);
        expect(helpings.flat()).toEqual(names);
        for (const some of helpings) {
          expect(some.length).toBeLessThanOrEqual(most);
          expect(String(new URLSearchParams({ keys: some.join(",") })).length).toBeLessThanOrEqual(9_000);
        }
      }),
    );
  });

  it("is as much at once as the API takes where names are short", () => {
    const params = Array.from({ length: 40 }, (_, i) => `params.${i}`);
    expect(inHelpings(params, 30)).toEqual([params.slice(0, 30), params.slice(30)]);
    expect(inHelpings([], 5)).toEqual([]);
  });
});
