import { type Ask, get, post } from "./ask.ts";
import { oddly } from "./odd.ts";

const IN = { experiment_ids: ["@s"] };
const find = (search: object) => post("runs/search", { ...IN, ...search });
const filtered = (filter: string) => find({ filter });
const token = (value: unknown) => btoa(JSON.stringify(value).replace(":", ": "));

/** Runs that differ in all that can be searched, each with its own time of start. */
const MADE: readonly Ask[] = [
  post("experiments/create", { name: "search" }, { keeps: "@s" }),
  ...[0, 1, 2, 3, 4].flatMap((i): Ask[] => [
    post(
      "runs/create",
      { experiment_id: "@s", run_name: `Run ${i}`, user_id: `u${i % 2}`, start_time: 100 + i },
      { keeps: `@s${i}` },
    ),
    post("runs/log-batch", {
      run_id: `@s${i}`,
      metrics: [
        { key: "loss", value: i === 3 ? "NaN" : i / 10, timestamp: 1, step: 1 },
        { key: "acc score", value: i, timestamp: 1 },
      ],
      params: [{ key: "lr", value: `0.${i}` }, ...(i > 2 ? [{ key: "only.some", value: "it's" }] : [])],
      tags: [{ key: "group", value: i < 3 ? "A" : "b" }],
    }),
    ...(i === 4
      ? []
      : [
          post("runs/update", {
            run_id: `@s${i}`,
            status: i === 2 ? "FAILED" : "FINISHED",
            end_time: 200 - i,
          }),
        ]),
  ]),
  post("runs/delete", { run_id: "@s1" }),
];

const FILTERS = [
  "",
  "metrics.loss < 0.25",
  "metrics.loss = 0.0",
  "metrics.loss >= 0.2 and metrics.`acc score` != 4",
  "metrics.none > 0",
  "params.lr = '0.2'",
  "params.lr LIKE '0.%'",
  'params."only.some" = "it\'s"',
  "parameters.lr != '0.2'",
  "tags.group ILIKE 'a'",
  "tags.group = 'A' AND attributes.status = 'FAILED'",
  "attributes.run_name = 'Run 3'",
  "run_name LIKE 'Run%'",
  "attributes.start_time > 102",
  "attributes.end_time <= 198",
  "attributes.user_id = 'u1'",
  "attributes.run_id IN ('@s2', '@s4', 'x')",
  "attributes.run_id NOT IN ('@s2')",
  "attributes.run_id = '@s3'",
  "attributes.lifecycle_stage = 'active'",
  "status = 'RUNNING'",
  "tags.`mlflow.runName` = 'Run 0'",
  // Refused.
  "bogus",
  "metrics.loss",
  "metrics.loss < 'a'",
  "metrics.loss LIKE '1'",
  "params.lr = 0.2",
  "params.lr > '0.1'",
  "tags.group IN ('A')",
  "attributes.status IN ('FAILED')",
  "attributes.status = 3",
  "attributes.bogus = 'a'",
  "bogus.key = 'a'",
  "metrics.loss < 1 OR metrics.loss > 2",
  "metrics.loss < 1 AND",
  "params.lr = '0.1",
  "params.lr = ''0.1''",
  "metrics.loss < 1; drop table runs",
  "metrics.loss < 1;",
  "params.lr = ';'",
  "attributes.run_id IN ()",
  "attributes.start_time = 'x'",
];

const ORDERS = [
  ["start_time"],
  ["attributes.start_time DESC"],
  ["metrics.loss"],
  ["metrics.loss DESC", "start_time ASC"],
  ["params.lr DESC"],
  ["tags.group", "attributes.end_time"],
  ["metric.`acc score` desc"],
  ["params.none", "start_time"],
  ["run_name DESC"],
  ["status", "start_time"],
  // Refused.
  ["bogus"],
  ["bogus.key"],
  ["metrics"],
  ["start_time SIDEWAYS"],
  ["start_time DESC ASC"],
  [""],
  ["attributes.bogus"],
];

/** What searches find, of runs and of experiments, and how they go on. */
export const SEARCH: readonly Ask[] = [
  ...MADE,
  ...FILTERS.map(filtered),
  ...ORDERS.map((order_by) => find({ order_by })),
  find({ run_view_type: "ALL" }),
  find({ run_view_type: "DELETED_ONLY" }),
  find({ run_view_type: 2 }),
  find({ runViewType: "ALL", orderBy: ["start_time"], maxResults: 2 }),
  post("runs/search", { ...IN, run_view_type: "BOGUS" }, { spoils: true }),
  find({ max_results: 2 }),
  find({ max_results: 2, page_token: token({ offset: 2 }) }),
  find({ max_results: 2, page_token: token({ offset: 4 }) }),
  find({ max_results: 50_000 }),
  find({ max_results: 50_001 }),
  find({ max_results: 0 }),
  find({ max_results: -1 }),
  find({ max_results: "2" }),
  ...[
    "x",
    "xxxx",
    "e30=",
    "e30",
    "gICA",
    token({ offset: 0 }),
    token({ offset: "x" }),
    token({ offset: "1" }),
    "",
  ].map((page_token) => find({ page_token, max_results: 1 })),
  find({ page_token: token([]) }),
  post("runs/search", { ...IN, page_token: token({ offset: -1 }) }, { spoils: true }),
  post("runs/search", {}),
  post("runs/search", { experiment_ids: [] }),
  post("runs/search", { experiment_ids: ["999999999"] }),
  post("runs/search", { experiment_ids: ["abc"] }),
  post("runs/search", { experiment_ids: ["@s", "999999999", "@s"], max_results: 1 }),
  post("runs/search", { experiment_ids: ["999999999"], filter: "bogus" }),
  ...oddly(
    "runs/search",
    { ...IN, filter: "", run_view_type: "ALL", max_results: 1, order_by: [], page_token: "" },
    {
      experiment_ids: "list",
      filter: "text",
      max_results: "whole",
      order_by: "list",
      page_token: "text",
    },
  ),

  ...[
    "",
    "name = 'search'",
    "name LIKE 'sea%'",
    "name ILIKE 'SEA%'",
    "tags.x = '1'",
    "creation_time > 0 AND name = 'search'",
  ].map((filter) => post("experiments/search", { max_results: 3, filter, order_by: ["name"] })),
  ...[
    "bogus",
    "name > 'a'",
    "name = 5",
    "bogus = 'a'",
    "name = 'a' OR name = 'b'",
    "creation_time = 'x'",
  ].map((filter) => post("experiments/search", { max_results: 3, filter })),
  ...[
    ["name"],
    ["name DESC"],
    ["creation_time"],
    ["experiment_id DESC"],
    ["bogus"],
    ["tags.x"],
    ["name SIDEWAYS"],
  ].map((order_by) =>
    post("experiments/search", { max_results: 2, order_by, filter: "name LIKE '%sea%' AND name != 'x'" }),
  ),
  get("experiments/search", {
    max_results: "1",
    order_by: ["name DESC"],
    filter: "name = 'search'",
    view_type: "ALL",
  }),
  get("experiments/search"),
  get("experiments/search", { max_results: "x" }),
  get("experiments/search", { max_results: "" }),
  post("experiments/search", {}),
  post("experiments/search", { max_results: 0 }),
  post("experiments/search", { max_results: 50_001 }),
  post("experiments/search", { max_results: 5, view_type: "BOGUS" }, { spoils: true }),
  post("experiments/search", { max_results: 5, view_type: "DELETED_ONLY", filter: "name = 'search'" }),
  ...oddly(
    "experiments/search",
    { max_results: 1, filter: "name = 'search'", order_by: [], page_token: "" },
    {
      max_results: "whole",
      filter: "text",
      order_by: "list",
      page_token: "text",
    },
  ),
];
