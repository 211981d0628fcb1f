import { describe, expect, it } from "vitest";
import { ago } from "../../../src/dashboard/client/lib/ago.ts";
import { choiceOf, placesFor } from "../../../src/dashboard/client/lib/found.ts";
import { nextWait, PACE } from "../../../src/dashboard/client/lib/live.ts";
import { pageFor } from "../../../src/dashboard/client/lib/mlflow-address.ts";
import { dropView, readViews, saveView } from "../../../src/dashboard/client/lib/saved-views.ts";

it.each([
  ["#/experiments/7/runs/4f0c", "/runs/4f0c"],
  ["#/experiments/7/runs/4f0c?tab=charts", "/runs/4f0c"],
  ["#/experiments/7", "/experiments/7"],
  ["#/experiments/7?x=y", "/experiments/7"],
  ["#/models/m", null],
  ["", null],
  ["#/experiments/7/runs///evil.test", "/experiments/7"],
])("MLflow's address %j is the page %j", (hash, page) => {
  expect(pageFor(hash)).toBe(page);
});

it.each([
  [0, "now"],
  [-40, "40s ago"],
  [-61, "1m ago"],
  [-7_300, "2h ago"],
  [-3 * 86_400, "3d ago"],
  [-800 * 86_400, "2y ago"],
  [90, "in 1m"],
])("%i seconds from now are said as %s", (seconds, words) => {
  const now = Date.UTC(2026, 10, 27);
  expect(ago(now + seconds * 1000, now).replaceAll(/(\d) (?=[a-z])/g, "$1")).toBe(words);
});

describe("asking again", () => {
  const wait = (last: number, changed: boolean, hidden: boolean) => nextWait(last, { changed, hidden });

  it("begins anew after a change, slows down without one, and never stops", () => {
    expect(wait(60_000, true, false)).toBe(PACE.shortestMs);
    let waited: number = PACE.shortestMs;
    const waits = Array.from({ length: 20 }, () => (waited = wait(waited, false, false)));
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.at(-1)).toBe(PACE.longestMs);
  });

  it("is seldom while nobody looks", () => {
    expect(wait(PACE.shortestMs, true, true)).toBe(PACE.hiddenMs);
  });
});

it("what was found leads to its page, however it is called", () => {
  const found = { kind: "model_run", id: "a/b?c#d", name: "a name", within: null } as const;
  expect(choiceOf(found)).toMatchObject({ href: "/model-runs/a%2Fb%3Fc%23d", about: "a/b?c#d" });
  expect(placesFor("DEAD").map(({ href }) => href)).toEqual(["/delivery/dead-letters"]);
});

describe("saved views", () => {
  const keeping = (text: string | null = null) => ({
    getItem: () => text,
    setItem: (_: string, now: string) => {
      text = now;
    },
  });
  it("are kept by name, the last first, and forgotten", () => {
    const kept = keeping();
    saveView(kept, { name: "a", query: "sort=x" });
    saveView(kept, { name: "b", query: "" });
    saveView(kept, { name: " a ", query: "sort=y" });
    expect(readViews(kept)).toEqual([
      { name: "a", query: "sort=y" },
      { name: "b", query: "" },
    ]);
    expect(dropView(kept, "a")).toEqual([{ name: "b", query: "" }]);
  });
  it.each([null, "", "{", "7", '{"a":1}', '[null, 1, {"name": 1, "query": ""}]'])("%s is none", (text) => {
    expect(readViews(keeping(text))).toEqual([]);
  });
});
