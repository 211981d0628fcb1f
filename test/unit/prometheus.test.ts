import { describe, expect, it } from "vitest";
import { counterFamilies } from "../../src/routes/observe/counter-families.ts";
import { exposition, parseSeries } from "../../src/routes/observe/prometheus.ts";
import { parseExposition } from "../lib/exposition.ts";

const gauge = (samples: { labels?: Record<string, string>; value: number }[], help = "Help.") => ({
  name: "relay_gauge",
  type: "gauge" as const,
  help,
  samples,
});

describe("the exposition", () => {
  it("writes HELP, TYPE and samples", () => {
    const text = exposition([gauge([{ value: 1.5 }, { labels: { a: "x", b: "y" }, value: 2 }])]);
    expect(text).toBe(
      '# HELP relay_gauge Help.\n# TYPE relay_gauge gauge\nrelay_gauge 1.5\nrelay_gauge{a="x",b="y"} 2\n',
    );
  });

  it("escapes help and labels", () => {
    const text = exposition([gauge([{ labels: { path: 'C:\\dir\n"quoted"' }, value: 1 }], 'a\\b\n"c"')]);
    expect(text).toContain('# HELP relay_gauge a\\\\b\\n"c"\n');
    expect(text).toContain('relay_gauge{path="C:\\\\dir\\n\\"quoted\\""} 1\n');
    expect(parseExposition(text).get("relay_gauge")?.samples.size).toBe(1);
  });

  it.each([
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
    [Number.NaN, "NaN"],
    [1e21, "1e+21"],
    [0, "0"],
  ])("writes %d as %s", (value, written) => {
    const text = exposition([gauge([{ value }])]);
    expect(text).toContain(`relay_gauge ${written}\n`);
    expect(parseExposition(text).get("relay_gauge")?.samples.get("")).toBe(value);
  });

  it("leaves out a family without samples", () => {
    expect(exposition([gauge([])])).toBe("");
  });
});

describe("a stored series", () => {
  it.each([
    ["relay_retries_total", {}],
    ['relay_calls_total{outcome="ok"}', { outcome: "ok" }],
    ['relay_calls_total{a="x",b="y,}"}', { a: "x", b: "y,}" }],
    ['relay_calls_total{a="\\\\n\\n\\""}', { a: '\\n\n"' }],
  ])("%s is read back", (text, labels) => {
    expect(parseSeries(text)).toEqual({ name: text.split("{")[0], labels });
  });

  it.each(["", "1st", "a b", "a{b}", 'a{b="c}', 'a{b="c"x}', 'a{b="\\x"}', 'a{b="1",b="2"}', 'a{1="b"}'])(
    "%j is none",
    (text) => {
      expect(parseSeries(text)).toBeNull();
    },
  );
});

describe("counters", () => {
  it("are shown from 0 when they are known, by family, and those that are not well-formed not at all", () => {
    const families = counterFamilies({
      'relay_mlflow_calls_total{outcome="transient"}': 3,
      'relay_events_total{outcome="accepted"}': 7,
      relay_new_total: 1,
      "not a name": 9,
    });
    const parsed = parseExposition(exposition(families));
    expect([...parsed].map(([name, { samples }]) => [name, Object.fromEntries(samples)])).toEqual([
      [
        "relay_events_total",
        {
          '{outcome="accepted"}': 7,
          '{outcome="duplicate"}': 0,
          '{outcome="conflict"}': 0,
          '{outcome="refused"}': 0,
        },
      ],
      ["relay_events_delivered_total", { "": 0 }],
      ["relay_mlflow_calls_total", { '{outcome="ok"}': 0, '{outcome="transient"}': 3 }],
      ["relay_retries_total", { "": 0 }],
      ["relay_ghost_runs_total", { "": 0 }],
      [
        "relay_jobs_ended_total",
        { '{state="succeeded"}': 0, '{state="failed"}': 0, '{state="cancelled"}': 0 },
      ],
      ["relay_artifacts_total", { '{outcome="kept"}': 0, '{outcome="handed_over"}': 0 }],
      ["relay_cron_passes_total", { "": 0 }],
      ["relay_new_total", { "": 1 }],
    ]);
  });
});
