import { type Ask, ajax, get, post } from "./ask.ts";

const OF = { run_id: "@h", metric_key: "m" };
const SAMPLE = { run_ids: ["@h", "@i"], metric_key: "m" };
const token = (offset: number) => btoa(`{"offset": ${offset}}`);

/** Histories of metrics, of one run and of several. */
export const HISTORIES: readonly Ask[] = [
  post("experiments/create", { name: "histories" }, { keeps: "@histories" }),
  post("runs/create", { experiment_id: "@histories", run_name: "h", start_time: 1 }, { keeps: "@h" }),
  post("runs/create", { experiment_id: "@histories", run_name: "i", start_time: 2 }, { keeps: "@i" }),
  post("runs/log-batch", {
    run_id: "@h",
    metrics: [
      { key: "m", value: 1, timestamp: 5, step: 1 },
      { key: "m", value: "NaN", timestamp: 5, step: 1 },
      { key: "m", value: -1, timestamp: 5, step: 1 },
      { key: "m", value: "Infinity", timestamp: 1, step: 9 },
      { key: "m", value: "-Infinity", timestamp: 2, step: -3 },
      { key: "m", value: 1, timestamp: 5, step: 1 },
      { key: "other", value: 0.5, timestamp: 5 },
    ],
  }),
  post("runs/log-batch", {
    run_id: "@i",
    metrics: Array.from({ length: 40 }, (_, i) => ({
      key: "m",
      value: i,
      timestamp: 10 + (i % 7),
      step: 2 * i,
    })),
  }),
  post("runs/log-batch", {
    run_id: "@i",
    metrics: Array.from({ length: 30 }, (_, i) => ({ key: "same", value: i, timestamp: i, step: 0 })),
  }),
  get("runs/get", { run_id: "@h" }),
  get("metrics/get-history", OF),
  get("metrics/get-history", { run_uuid: "@h", metric_key: "m" }),
  ajax("metrics/get-history", OF),
  get("metrics/get-history", { ...OF, max_results: "2" }),
  get("metrics/get-history", { ...OF, max_results: "2", page_token: token(2) }),
  get("metrics/get-history", { ...OF, max_results: "2", page_token: token(4) }),
  get("metrics/get-history", { ...OF, max_results: "5" }),
  get("metrics/get-history", { ...OF, page_token: token(3) }),
  get("metrics/get-history", { ...OF, max_results: "25000" }),
  get("metrics/get-history", { ...OF, max_results: "25001" }),
  get("metrics/get-history", { ...OF, max_results: "0" }),
  get("metrics/get-history", { ...OF, max_results: "-1" }),
  get("metrics/get-history", { ...OF, max_results: "x" }, { spoils: true }),
  get("metrics/get-history", { ...OF, page_token: "x" }),
  get("metrics/get-history", { run_id: "@h", metric_key: "none" }),
  get("metrics/get-history", { run_id: "@h" }),
  get("metrics/get-history", { run_id: "@h", metric_key: "" }),
  get("metrics/get-history", { metric_key: "m" }),
  get("metrics/get-history", { run_id: "@i", metric_key: "m", max_results: "7" }),

  ajax("metrics/get-history-bulk", OF),
  ajax("metrics/get-history-bulk", { ...OF, run_id: ["@i", "@i"], max_results: "3" }),
  ajax("metrics/get-history-bulk", { ...OF, max_results: "0" }),
  ajax("metrics/get-history-bulk", { ...OF, max_results: "x" }),
  ajax("metrics/get-history-bulk", { run_id: "@h", metric_key: "" }),
  ajax("metrics/get-history-bulk", { run_id: "@h" }),
  ajax("metrics/get-history-bulk", { metric_key: "m" }),
  ajax("metrics/get-history-bulk", { run_id: Array.from({ length: 101 }, () => "@h"), metric_key: "m" }),

  get("metrics/get-history-bulk-interval", SAMPLE),
  ajax("metrics/get-history-bulk-interval", SAMPLE),
  ...["1", "2", "3", "7", "40", "2500"].map((max_results) =>
    get("metrics/get-history-bulk-interval", { ...SAMPLE, max_results }),
  ),
  ...[
    ["0", "5"],
    ["-5", "1"],
    ["3", "3"],
    ["9", "41"],
    ["100", "200"],
    ["1", "99999999999"],
  ].flatMap(([start_step = "", end_step = ""]) => [
    get("metrics/get-history-bulk-interval", { ...SAMPLE, start_step, end_step }),
    get("metrics/get-history-bulk-interval", { ...SAMPLE, start_step, end_step, max_results: "4" }),
  ]),
  ...["1", "4", "7"].map((max_results) =>
    get("metrics/get-history-bulk-interval", { run_ids: "@i", metric_key: "same", max_results }),
  ),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, start_step: "5", end_step: "0" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, start_step: "5" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, end_step: "5" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, start_step: "x", end_step: "5" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, start_step: "1.5", end_step: "5" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, max_results: "0" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, max_results: "2501" }),
  get("metrics/get-history-bulk-interval", { ...SAMPLE, max_results: "x" }),
  get("metrics/get-history-bulk-interval", { run_ids: "@h", metric_key: "none" }),
  get("metrics/get-history-bulk-interval", { run_ids: "@h" }),
  get("metrics/get-history-bulk-interval", { metric_key: "m" }),
  get("metrics/get-history-bulk-interval", {
    run_ids: Array.from({ length: 101 }, () => "@h"),
    metric_key: "m",
  }),
];
