import { type Ask, get, post } from "./ask.ts";
import { KEYS, oddly } from "./odd.ts";

const RUN = { run_id: "@l" };
const METRIC = { run_id: "@o", key: "odd", value: 1, timestamp: 1, step: 0 };
const metrics = (...given: object[]) =>
  given.map((metric) => ({ key: "m", value: 1, timestamp: 1, ...metric }));
const many = (count: number, item: (i: number) => object) => Array.from({ length: count }, (_, i) => item(i));
const pair = (i: number) => ({ key: `k${i}`, value: `${i}` });
const shownRun = get("runs/get", { run_id: "@l" });

/** What is logged to a run, one by one and in batches. */
export const LOGGING: readonly Ask[] = [
  post("experiments/create", { name: "logging" }, { keeps: "@logging" }),
  post("runs/create", { experiment_id: "@logging", run_name: "l", start_time: 1 }, { keeps: "@l" }),
  // What is spoiled goes where nobody looks.
  post("runs/create", { experiment_id: "@logging", run_name: "o", start_time: 1 }, { keeps: "@o" }),

  post("runs/log-metric", { ...RUN, key: "m", value: 1.5, timestamp: 5, step: 1 }),
  post("runs/log-metric", { ...RUN, key: "m", value: 1.5, timestamp: 5, step: 1 }),
  post("runs/log-metric", { ...RUN, key: "m", value: 2.5, timestamp: 5, step: 1 }),
  post("runs/log-metric", { ...RUN, key: "m", value: 9, timestamp: 9, step: 0 }),
  post("runs/log-metric", { run_uuid: "@l", key: "n", value: "NaN", timestamp: 5 }),
  post("runs/log-metric", { ...RUN, key: "n", value: -1, timestamp: 5 }),
  post("runs/log-metric", { ...RUN, key: "inf", value: "Infinity", timestamp: 0, step: -3 }),
  post("runs/log-metric", { ...RUN, key: "inf", value: "-inf", timestamp: 0, step: -4 }),
  post("runs/log-metric", { ...RUN, key: "tiny", value: 5e-324, timestamp: 1 }),
  post("runs/log-metric", { ...RUN, key: "zero", value: -0.0, timestamp: 1 }),
  post("runs/log-metric", { ...RUN, key: "text", value: "1e3", timestamp: "12", step: "7" }),
  shownRun,
  post("runs/log-metric", { run_id: "nobody", key: "m", value: 1, timestamp: 1 }),
  ...[-1, "-1", -9_007_199_254_740_991].map((timestamp) => post("runs/log-metric", { ...METRIC, timestamp })),
  ...[3, 0.1, 1e20, 1e16, 1e15, 1e-5, 0.0001, 123456.789, -2.5e-8, "NaN", "-Infinity", 0].map((value) =>
    post("runs/log-metric", { ...METRIC, timestamp: -1, value }),
  ),
  ...oddly("runs/log-metric", METRIC, {
    run_id: "text",
    key: "text",
    value: "double",
    timestamp: "whole",
    step: "whole",
  }),
  ...[2 ** 53, "1152921504606846976"].map((step) => post("runs/log-metric", { ...METRIC, step })),
  post("runs/log-metric", { ...METRIC, timestamp: 2 ** 53 }),
  post("runs/log-parameter", { run_id: "@o", key: "__proto__", value: "1" }),
  post("runs/log-batch", {
    run_id: "@l",
    metrics: metrics({ key: "nan", value: "NaN" }, { key: "nan", value: "NaN" }, { key: "nan", value: -1 }),
  }),
  post("runs/log-metric", { ...RUN, key: "nan", value: "NaN", timestamp: 1 }),
  get("metrics/get-history", { run_id: "@l", metric_key: "nan" }),
  ...KEYS.map((key) => post("runs/log-metric", { ...METRIC, key })),

  post("runs/log-parameter", { ...RUN, key: "p", value: "1" }),
  post("runs/log-parameter", { ...RUN, key: "p", value: "1" }),
  post("runs/log-parameter", { ...RUN, key: "p", value: "1.0" }),
  post("runs/log-parameter", { run_uuid: "@l", key: "p", value: 'it\'s "2"\n' }),
  post("runs/log-parameter", { ...RUN, key: "empty", value: "" }),
  post("runs/log-parameter", { ...RUN, key: "empty", value: "x" }),
  post("runs/log-parameter", { ...RUN, key: "none" }),
  post("runs/log-parameter", { ...RUN, key: "long", value: "é".repeat(6001) }),
  post("runs/log-parameter", { ...RUN, key: "long", value: `${"é".repeat(6000)}x` }),
  post("runs/log-parameter", { run_id: "nobody", key: "p", value: "1" }),
  ...oddly(
    "runs/log-parameter",
    { ...RUN, key: "odd", value: "" },
    { run_id: "text", key: "text", value: "text" },
  ),
  ...KEYS.map((key) => post("runs/log-parameter", { ...RUN, key, value: "v" })),

  post("runs/set-tag", { ...RUN, key: "t", value: "1" }),
  post("runs/set-tag", { ...RUN, key: "t", value: "2" }),
  post("runs/set-tag", { run_uuid: "@l", key: "t2" }),
  post("runs/set-tag", { ...RUN, key: "long", value: "🙂".repeat(8001) }),
  post("runs/set-tag", { ...RUN, key: "mlflow.runName", value: "by tag" }),
  shownRun,
  post("runs/set-tag", { ...RUN, key: "mlflow.runName", value: "" }),
  shownRun,
  post("runs/set-tag", { run_id: "nobody", key: "t", value: "1" }),
  ...oddly("runs/set-tag", { ...RUN, key: "odd", value: "" }, { run_id: "text", key: "text", value: "text" }),
  ...KEYS.map((key) => post("runs/set-tag", { ...RUN, key, value: "v" })),

  post("runs/delete-tag", { ...RUN, key: "t" }),
  post("runs/delete-tag", { ...RUN, key: "t" }),
  post("runs/delete-tag", { ...RUN, key: "a*" }),
  post("runs/delete-tag", { run_uuid: "@l", key: "t2" }),
  post("runs/delete-tag", { run_id: "nobody", key: "t" }),
  post("runs/set-tag", { ...RUN, key: "t", value: "again" }),
  ...oddly("runs/delete-tag", { ...RUN, key: "odd" }, { run_id: "text", key: "text" }),
  shownRun,

  post("runs/create", { experiment_id: "@logging", run_name: "b", start_time: 1 }, { keeps: "@b" }),
  post("runs/log-batch", {
    run_id: "@b",
    metrics: metrics(
      { step: 2 },
      { value: "NaN" },
      { value: 3, step: 2 },
      { key: "x", timestamp: "9", run_id: "@b" },
    ),
    params: [pair(1), pair(2), { key: "none" }],
    tags: [pair(1), { key: "k1", value: "last" }, { key: "mlflow.runName", value: "named" }],
  }),
  get("runs/get", { run_id: "@b" }),
  post("runs/log-batch", { run_id: "@b" }),
  post("runs/log-batch", { run_id: "@b", metrics: [], params: null, tags: [] }),
  post("runs/log-batch", { run_id: "@b", params: [pair(1), pair(2)] }),
  post("runs/log-batch", {
    run_id: "@b",
    metrics: metrics({ key: "not" }),
    params: [pair(5), { key: "k1", value: "other" }, { key: "k2", value: "it's" }],
    tags: [{ key: "not", value: "1" }],
  }),
  get("runs/get", { run_id: "@b" }),
  post("runs/log-batch", { run_id: "@b", params: [pair(7), pair(7)] }),
  post("runs/log-batch", {
    run_id: "@b",
    params: [pair(7), pair(8), pair(7), pair(7), { key: "k8", value: "it's" }],
  }),
  post("runs/log-batch", { run_uuid: "@b" }),
  post("runs/log-batch", { run_id: "a/b" }),
  post("runs/log-batch", { run_id: "_a" }),
  post("runs/log-batch", { run_id: "a".repeat(257) }),
  post("runs/log-batch", { run_id: "nobody", metrics: metrics({}) }),
  post("runs/log-batch", { run_id: "nobody", metrics: metrics({ key: "a*" }) }),
  ...oddly(
    "runs/log-batch",
    { run_id: "@o" },
    { run_id: "text", metrics: "list", params: "list", tags: "list" },
  ),
  ...oddMetrics(
    { key: undefined },
    { key: "" },
    { value: undefined },
    { value: "" },
    { value: null },
    { timestamp: undefined },
  ),
  ...oddMetrics(
    { timestamp: -2 },
    { key: "a//b" },
    { key: "k".repeat(251) },
    { value: "1_0" },
    { step: null },
  ),
  ...oddMetrics(
    { value: "x" },
    { value: true },
    { step: 0.5 },
    { timestamp: "x" },
    { key: 5 },
    { step: "x" },
  ).map((ask): Ask => ({ ...ask, spoils: true })),
  ...["params", "tags"].flatMap((list) => [
    post("runs/log-batch", { run_id: "@b", [list]: [{ value: "1" }] }),
    post("runs/log-batch", { run_id: "@b", [list]: [pair(1), { key: "", value: "1" }] }),
    post("runs/log-batch", { run_id: "@o", [list]: [{ key: "k9", value: 5 }] }, { spoils: true }),
    ...KEYS.map((key) => post("runs/log-batch", { run_id: "@b", [list]: [{ key, value: "v" }] })),
  ]),
  post("runs/log-batch", {
    run_id: "@b",
    metrics: many(1000, (i) => ({ key: `many${i % 7}`, value: i, timestamp: i, step: i })),
  }),
  post("runs/log-batch", { run_id: "@b", metrics: many(1001, () => ({ key: "m", value: 1, timestamp: 1 })) }),
  post("runs/log-batch", { run_id: "@b", params: many(101, pair) }),
  post("runs/log-batch", { run_id: "@b", tags: many(101, pair) }),
  post("runs/log-batch", {
    run_id: "@b",
    metrics: many(900, () => ({ key: "m", value: 1, timestamp: 1 })),
    params: many(51, pair),
    tags: many(50, pair),
  }),
  get("runs/get", { run_id: "@b" }),
];

function oddMetrics(...changes: object[]): Ask[] {
  return changes.map((change) =>
    post("runs/log-batch", { run_id: "@o", metrics: metrics({ key: "first" }, change) }),
  );
}
