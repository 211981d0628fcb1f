import { expect, test } from "vitest";
import type { Raw } from "../../../src/gateway/requests/body.ts";
import {
  readBulkHistory,
  readHistory,
  readIntervalHistory,
} from "../../../src/gateway/requests/histories.ts";
import {
  readSearchExperiments,
  readSearchExperimentsQuery,
  readSearchRuns,
} from "../../../src/gateway/requests/search.ts";
import { missing, mistyped, outcome, refused, SEE_DOCS } from "./refused.ts";

const RUNS = {
  experimentIds: ["1"],
  filter: "",
  orderBy: [],
  viewType: "ACTIVE_ONLY",
  maxResults: 1000,
  offset: 0,
};
const inOne = (search: Raw) => ({ experiment_ids: ["1"], ...search });
const notWithin = (value: number, rule: string) =>
  refused(`Invalid value ${value} for parameter 'max_results' supplied. It must be ${rule}`);

test.each<[Raw, unknown]>([
  [inOne({}), RUNS],
  [{}, { ...RUNS, experimentIds: [] }],
  [
    inOne({
      filter: "a",
      order_by: ["b"],
      run_view_type: "ALL",
      max_results: "7",
      page_token: btoa('{"offset": 3}'),
    }),
    { ...RUNS, filter: "a", orderBy: ["b"], viewType: "ALL", maxResults: 7, offset: 3 },
  ],
  [inOne({ run_view_type: 2 }), { ...RUNS, viewType: "DELETED_ONLY" }],
  [inOne({ filter: null, order_by: null, page_token: "" }), RUNS],
  [{ experiment_ids: [" 01"] }, RUNS],
  [{ experiment_ids: "1" }, mistyped("experiment_ids", '"1"', "str")],
  [{ experiment_ids: ["x"] }, refused("Invalid experiment ID 'x'. Experiment ID must be a valid integer.")],
  [inOne({ max_results: 0 }), notWithin(0, "a positive integer")],
  [inOne({ max_results: -1 }), notWithin(-1, "a positive integer")],
  [inOne({ max_results: 50_001 }), mistyped("max_results", "50001", "int")],
  [inOne({ max_results: 9_999_999_999 }), mistyped("max_results", "9999999999", "int")],
  [inOne({ max_results: "x" }), mistyped("max_results", '"x"', "str")],
  [inOne({ max_results: null }), mistyped("max_results", "null", "NoneType")],
  [inOne({ order_by: "start_time" }), mistyped("order_by", '"start_time"', "str")],
  [inOne({ order_by: [5] }), mistyped("order_by", "[5]", "list")],
  [inOne({ filter: 5 }), mistyped("filter", "5", "int")],
  [inOne({ max_results: 1.5 }), refused(/^Invalid value 1.5 for parameter 'max_results' supplied/)],
  [{ experiment_ids: [1] }, refused(/^Invalid value 1 for parameter 'experiment_ids\[0\]' supplied/)],
  [inOne({ page_token: 5 }), refused(/^Invalid value 5 for parameter 'page_token' supplied/)],
  [
    inOne({ run_view_type: "BOGUS" }),
    refused(
      "Invalid value \"BOGUS\" for parameter 'run_view_type' supplied: It must be one of ACTIVE_ONLY, DELETED_ONLY, ALL.",
    ),
  ],
  [inOne({ run_view_type: 7 }), refused(/'run_view_type' supplied: It must be one of/)],
])("runs/search %j", (body, expected) => {
  expect(outcome(() => readSearchRuns(body))).toEqual(expected);
});

const FIRST = { filter: "", orderBy: [], viewType: "ACTIVE_ONLY", maxResults: 1, offset: 0 };

test.each<[Raw, unknown]>([
  [{ max_results: 1 }, FIRST],
  [
    { max_results: "1", view_type: "2", order_by: ["name"] },
    { ...FIRST, viewType: "DELETED_ONLY", orderBy: ["name"] },
  ],
  [{}, notWithin(0, "a positive integer")],
  [{ max_results: 50_001 }, notWithin(50_001, "at most 50000")],
  [{ max_results: "x" }, mistyped("max_results", '"x"', "str")],
  [{ max_results: 1, page_token: 5 }, mistyped("page_token", "5", "int")],
  [{ max_results: 1, order_by: "name" }, mistyped("order_by", '"name"', "str")],
  [{ max_results: 1, order_by: [5] }, refused(/^Invalid value 5 for parameter 'order_by\[0\]' supplied/)],
  [{ max_results: 1, view_type: true }, refused(/'view_type' supplied: It must be one of/)],
])("experiments/search %j", (body, expected) => {
  expect(outcome(() => readSearchExperiments(body))).toEqual(expected);
});

test.each<[string, unknown]>([
  [
    "max_results=1&order_by=name&order_by=creation_time&view_type=ALL&filter=a",
    { ...FIRST, orderBy: ["name", "creation_time"], viewType: "ALL", filter: "a" },
  ],
  ["", notWithin(0, "a positive integer")],
  ["max_results=", mistyped("max_results", '""', "str")],
])("experiments/search?%s", (query, expected) => {
  expect(outcome(() => readSearchExperimentsQuery(new URLSearchParams(query)))).toEqual(expected);
});

test.each<[string, unknown]>([
  [btoa('{"offset": "1"}'), 1],
  [btoa('{"offset": 1.9}'), 1],
  [`${btoa('{"offset": 12}')}\n`, 12],
  [btoa('{"offset": 9223372036854775807}'), Number.MAX_SAFE_INTEGER],
  [btoa('{"offset": 1e300}'), Number.MAX_SAFE_INTEGER],
  ["x", refused("Invalid page token, could not base64-decode")],
  ["e30", refused("Invalid page token, could not base64-decode")],
  ["xxxx", refused("Invalid page token, decoded value=b'\\xc7\\x1cq'")],
  ["gICA", refused("Invalid page token, decoded value=b'\\x80\\x80\\x80'")],
  ["e30=", refused("Invalid page token, parsed value={}")],
  [btoa('{"offset": 0}'), refused("Invalid page token, parsed value={'offset': 0}")],
  [btoa('{"offset": "x"}'), refused("Invalid page token, not stringable x")],
  [btoa('{"offset": -1}'), refused("Invalid page token, parsed value={'offset': -1}")],
  [btoa("[]"), refused("Invalid page token, parsed value=[]")],
  [btoa('{"offset": [1]}'), refused("Invalid page token, parsed value={'offset': [1]}")],
])("the page token %s", (token, expected) => {
  const read = () => readSearchExperiments({ max_results: 1, page_token: token }).offset;
  expect(outcome(read)).toEqual(expected);
});

test("a page token of any length that is none", () => {
  const read = () => readSearchExperiments({ max_results: 1, page_token: "/".repeat(1_000_000) });
  expect(outcome(read)).toEqual(refused(`Invalid page token, decoded value=b'${"\\xff".repeat(10_000)}'`));
});

test.each<[string, unknown]>([
  ["run_id=r&metric_key=k", { runId: "r", metricKey: "k", maxResults: null, offset: 0 }],
  [
    `run_uuid=r&metric_key=k&max_results=25000&page_token=${btoa('{"offset": 2}')}`,
    { runId: "r", metricKey: "k", maxResults: 25_000, offset: 2 },
  ],
  ["run_id=r", missing("metric_key")],
  ["metric_key=k", missing("run_id")],
  ["run_id=r&metric_key=k&max_results=0", notWithin(0, "a positive integer.")],
  ["run_id=r&metric_key=k&max_results=-1", notWithin(-1, "a positive integer.")],
  ["run_id=r&metric_key=k&max_results=x", refused(/^Invalid value "x" for parameter 'max_results' supplied/)],
])("metrics/get-history?%s", (query, expected) => {
  expect(outcome(() => readHistory(new URLSearchParams(query)))).toEqual(expected);
});

const hundredAndOne = (name: string) => Array.from({ length: 101 }, (_, i) => `${name}=r${i}`).join("&");

test.each<[string, unknown]>([
  ["run_id=r&run_id=s&metric_key=k", { runIds: ["r", "s"], metricKey: "k", maxResults: 25_000 }],
  ["run_id=r&metric_key=&max_results=30000", { runIds: ["r"], metricKey: "", maxResults: 25_000 }],
  ["run_id=r&metric_key=k&max_results=0", { runIds: ["r"], metricKey: "k", maxResults: 0 }],
  ["metric_key=k", refused("GetMetricHistoryBulk request must specify at least one run_id.")],
  ["run_id=r", refused("GetMetricHistoryBulk request must specify a metric_key.")],
  [
    `${hundredAndOne("run_id")}&metric_key=k`,
    refused("GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received 101 run_ids."),
  ],
  ["run_id=r&metric_key=k&max_results=x", refused(/^Invalid value x for parameter 'max_results' supplied/)],
  ["run_id=r&metric_key=k&max_results=-1", refused(/^Invalid value -1 for parameter 'max_results' supplied/)],
])("metrics/get-history-bulk?%#", (query, expected) => {
  expect(outcome(() => readBulkHistory(new URLSearchParams(query)))).toEqual(expected);
});

test.each<[string, unknown]>([
  ["run_ids=r&run_ids=s&metric_key=k", { runIds: ["r", "s"], metricKey: "k", steps: null, maxResults: 2500 }],
  [
    "run_ids=r&metric_key=k&start_step=-1&end_step=99999999999&max_results=2",
    { runIds: ["r"], metricKey: "k", steps: { first: -1, last: 99_999_999_999 }, maxResults: 2 },
  ],
  ["metric_key=k", missing("run_ids")],
  ["run_ids=r", missing("metric_key")],
  [
    `${hundredAndOne("run_ids")}&metric_key=k`,
    refused(
      `GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids.${SEE_DOCS}`,
    ),
  ],
  ["run_ids=r&metric_key=k&max_results=0", refused(`max_results must be between 1 and 2500.${SEE_DOCS}`)],
  ["run_ids=r&metric_key=k&max_results=2501", refused(`max_results must be between 1 and 2500.${SEE_DOCS}`)],
  ["run_ids=r&metric_key=k&max_results=x", mistyped("max_results", '"x"', "str")],
  ["run_ids=r&metric_key=k&start_step=1.5&end_step=2", mistyped("start_step", '"1.5"', "str")],
  [
    "run_ids=r&metric_key=k&start_step=5",
    refused("If either start step or end step are specified, both must be specified."),
  ],
  [
    "run_ids=r&metric_key=k&start_step=5&end_step=0",
    refused("end_step must be greater than start_step. Found start_step=5 and end_step=0."),
  ],
])("metrics/get-history-bulk-interval?%#", (query, expected) => {
  expect(outcome(() => readIntervalHistory(new URLSearchParams(query)))).toEqual(expected);
});
