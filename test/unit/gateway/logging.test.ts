import { expect, test } from "vitest";
import type { Raw } from "../../../src/gateway/requests/body.ts";
import {
  readDeleteTag,
  readLogBatch,
  readLogMetric,
  readLogParam,
  readSetTag,
} from "../../../src/gateway/requests/logging.ts";
import { missing, mistyped, outcome, refused } from "./refused.ts";

const CHARACTERS =
  "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).";
const RESOLVES =
  "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to ";
const METRIC = { run_id: "r", key: "k", value: 1, timestamp: 1 };

test.each<[Partial<Raw>, unknown]>([
  [{}, { value: 1 }],
  [{ run_id: undefined, run_uuid: "r" }, { value: 1 }],
  [{ step: "3" }, { step: 3 }],
  [
    { step: -3, timestamp: "7" },
    { step: -3, timestamp: 7 },
  ],
  [{ step: 2 ** 53 - 1 }, { step: 2 ** 53 - 1 }],
  [{ step: null }, { step: 0 }],
  [{ timestamp: 0 }, { timestamp: 0 }],
  [{ timestamp: 3.0 }, { timestamp: 3 }],
  [{ value: "NaN" }, { value: "NaN" }],
  [{ value: "NAN" }, { value: "NaN" }],
  [{ value: "Infinity" }, { value: "Infinity" }],
  [{ value: "-inf" }, { value: "-Infinity" }],
  [{ value: "1e400" }, { value: "Infinity" }],
  [{ value: " 1_0.5e1 " }, { value: 105 }],
  [{ value: -0 }, { value: 0 }],
  [
    { model_id: "m-1", dataset_name: "d", dataset_digest: "1" },
    { model: { modelId: "m-1", datasetName: "d", datasetDigest: "1" } },
  ],
  // A dataset is of the points of models only.
  [{ model_id: "", dataset_name: "d", dataset_digest: "1" }, {}],
  [{ key: "é/ a.b-c:d_1" }, { key: "é/ a.b-c:d_1" }],
  [{ key: "k\n" }, { key: "k\n" }],
  [{ run_id: undefined }, missing("run_id")],
  [{ key: "" }, missing("key")],
  [{ key: null }, missing("key")],
  [{ value: undefined }, missing("value")],
  [{ value: "" }, missing("value")],
  [{ timestamp: undefined }, missing("timestamp")],
  [{ key: 5 }, mistyped("key", "5", "int")],
  [{ value: "x" }, mistyped("value", '"x"', "str")],
  [{ value: [1] }, mistyped("value", "[1]", "list")],
  [{ timestamp: "x" }, mistyped("timestamp", '"x"', "str")],
  [{ step: "1.5" }, mistyped("step", '"1.5"', "str")],
  [
    { timestamp: -1 },
    refused(
      "Invalid value -1 for parameter 'timestamp' supplied: metric 'k' (value=1.0). Timestamp must be a nonnegative long (64-bit integer) ",
    ),
  ],
  [{ timestamp: -1, value: 1e-7 }, refused(/metric 'k' \(value=1e-07\)/)],
  [{ timestamp: -1, value: 1e20 }, refused(/metric 'k' \(value=1e\+20\)/)],
  [{ timestamp: -1, value: 0.0001 }, refused(/metric 'k' \(value=0.0001\)/)],
  [{ timestamp: -1, value: 123456789012345680 }, refused(/metric 'k' \(value=1.2345678901234568e\+17\)/)],
  [{ timestamp: -1, value: "NaN" }, refused(/metric 'k' \(value=nan\)/)],
  [{ timestamp: -1, value: "-Infinity" }, refused(/metric 'k' \(value=-inf\)/)],
  [{ key: "a*é" }, refused(`Invalid value "a*\\u00e9" for parameter 'name' supplied: ${CHARACTERS}`)],
  [{ key: "a\nb" }, refused(`Invalid value "a\\nb" for parameter 'name' supplied: ${CHARACTERS}`)],
  [{ key: "a//b" }, refused(`Invalid value "a//b" for parameter 'name' supplied: ${RESOLVES}'a/b'`)],
  [{ key: "a/../é" }, refused(`Invalid value "a/../\\u00e9" for parameter 'name' supplied: ${RESOLVES}'é'`)],
  [{ key: "../a" }, refused(`Invalid value "../a" for parameter 'name' supplied: ${RESOLVES}'../a'`)],
  [{ key: "/a" }, refused(`Invalid value "/a" for parameter 'name' supplied: ${RESOLVES}'/a'`)],
  [{ key: "." }, refused(`Invalid value "." for parameter 'name' supplied: ${RESOLVES}'.'`)],
  [{ key: "..a" }, refused(`Invalid value "..a" for parameter 'name' supplied: ${RESOLVES}'..a'`)],
  [{ key: "k".repeat(251) }, refused("'Metric name' exceeds the maximum length of 250 characters")],
  // What MLflow takes and spoils.
  [{ value: true }, refused(/^Invalid value true for parameter 'value' supplied/)],
  [{ value: Number.NaN }, refused(/^Invalid value NaN for parameter 'value' supplied/)],
  [{ value: Infinity }, refused(/^Invalid value Infinity for parameter 'value' supplied/)],
  [{ value: "nan" }, refused(/^Invalid value "nan" for parameter 'value' supplied/)],
  [{ timestamp: 1.5 }, refused(/^Invalid value 1.5 for parameter 'timestamp' supplied/)],
  [{ step: true }, refused(/^Invalid value true for parameter 'step' supplied/)],
  [{ step: 2 ** 53 }, refused(/^Invalid value 9007199254740992 for parameter 'step' supplied/)],
  [{ step: "9223372036854775808" }, refused(/^Invalid value "9223372036854775808" for parameter 'step'/)],
  [{ step: 1e300 }, refused(/^Invalid value 1e\+300 for parameter 'step' supplied/)],
])("runs/log-metric with %j", (changes, expected) => {
  const body = Object.fromEntries(
    Object.entries({ ...METRIC, ...changes }).filter(([, v]) => v !== undefined),
  );
  const isRefused = expected !== null && typeof expected === "object" && "error_code" in expected;
  const read = { runId: "r", key: "k", value: 1, timestamp: 1, step: 0, ...Object(expected) };
  expect(outcome(() => readLogMetric(body))).toEqual(isRefused ? expected : read);
});

test.each<[Raw, unknown]>([
  [
    { run_id: "r", key: "k", value: "v" },
    { runId: "r", key: "k", value: "v" },
  ],
  [
    { run_uuid: "r", key: "k" },
    { runId: "r", key: "k", value: "" },
  ],
  [
    { run_id: "r", key: "k", value: null },
    { runId: "r", key: "k", value: "" },
  ],
  [
    { run_id: "r", key: "k", value: "é".repeat(6001) },
    { runId: "r", key: "k", value: "é".repeat(6000) },
  ],
  [
    { run_id: "r", key: "k", value: "🙂".repeat(6001) },
    { runId: "r", key: "k", value: "🙂".repeat(6000) },
  ],
  [
    { run_id: "r", key: "k".repeat(251) },
    refused("'Param key' exceeds the maximum length of 250 characters"),
  ],
  [{ run_id: "r", key: "a@b" }, refused(`Invalid value "a@b" for parameter 'key' supplied: ${CHARACTERS}`)],
  [{ run_id: "r", key: "k", value: 5 }, mistyped("value", "5", "int")],
  [{ run_id: "r", key: "k", value: false }, mistyped("value", "false", "bool")],
  [{ run_id: "r" }, missing("key")],
  [{ key: "k" }, missing("run_id")],
])("runs/log-parameter %j", (body, expected) => {
  expect(outcome(() => readLogParam(body))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [
    { run_id: "r", key: "mlflow.note.content", value: "v" },
    { runId: "r", key: "mlflow.note.content", value: "v" },
  ],
  [
    { run_uuid: "r", key: "k" },
    { runId: "r", key: "k", value: "" },
  ],
  [
    { run_id: "r", key: "k", value: "v".repeat(8001) },
    { runId: "r", key: "k", value: "v".repeat(8000) },
  ],
  [{ run_id: "r", key: "k".repeat(251) }, refused("'key' exceeds the maximum length of 250 characters")],
  [{ run_id: "r", key: "a%" }, refused(`Invalid value "a%" for parameter 'key' supplied: ${CHARACTERS}`)],
  [{ run_id: "r", key: "k", value: [] }, mistyped("value", "[]", "list")],
  [{ run_id: "r", value: "v" }, missing("key")],
])("runs/set-tag %j", (body, expected) => {
  expect(outcome(() => readSetTag(body))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [
    { run_id: "r", key: "a*" },
    { runId: "r", key: "a*" },
  ],
  [
    { run_uuid: "r", key: "k" },
    { runId: "", key: "k" },
  ],
  [{ run_id: "r" }, missing("key")],
  [{ key: "k" }, missing("run_id")],
  [{ run_id: "r", key: 5 }, mistyped("key", "5", "int")],
])("runs/delete-tag %j", (body, expected) => {
  expect(outcome(() => readDeleteTag(body))).toEqual(expected);
});

const metrics = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `m${i}`, value: i, timestamp: 1 }));
const pairs = (count: number) => Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: "v" }));
const tooMany = (items: string, limit: number, count: number) =>
  refused(
    `A batch logging request can contain at most ${limit} ${items}. Got ${count} ${items}. Please split up ${items} across multiple requests and try again.`,
  );

test.each<[string, Partial<Raw>, unknown]>([
  ["nothing", {}, {}],
  ["nulls", { metrics: null, params: null, tags: null }, {}],
  [
    "one of each",
    {
      metrics: [{ key: "m", value: "NaN", timestamp: "5", step: 2, run_id: "r", model_id: "x" }],
      params: [{ key: "p" }],
      tags: [{ key: "t", value: "v".repeat(9000) }],
    },
    {
      metrics: [
        {
          key: "m",
          value: "NaN",
          timestamp: 5,
          step: 2,
          model: { modelId: "x", datasetName: null, datasetDigest: null },
        },
      ],
      params: [{ key: "p", value: "" }],
      tags: [{ key: "t", value: "v".repeat(8000) }],
    },
  ],
  [
    "one tag twice",
    {
      tags: [
        { key: "t", value: "1" },
        { key: "t", value: "2" },
      ],
    },
    {
      tags: [
        { key: "t", value: "1" },
        { key: "t", value: "2" },
      ],
    },
  ],
  ["no run", { run_id: undefined }, missing("run_id")],
  [
    "a run as run_uuid",
    { run_id: undefined, run_uuid: "r" },
    refused("Invalid value \"\" for parameter 'run_id' supplied."),
  ],
  ["a bad run", { run_id: "a/b" }, refused("Invalid value \"a/b\" for parameter 'run_id' supplied.")],
  ["a run that is a number", { run_id: 5 }, mistyped("run_id", "5", "int")],
  ["metrics as an object", { metrics: {} }, mistyped("metrics", "{}", "dict")],
  ["params as a text", { params: "p" }, mistyped("params", '"p"', "str")],
  ["a metric without key", { metrics: [{ value: 1, timestamp: 1 }] }, missing("metrics[0].key")],
  ["a metric without value", { metrics: [{ key: "m", timestamp: 1 }] }, missing("metrics[0].value")],
  [
    "a metric without time",
    { metrics: [...metrics(2), { key: "m", value: 1 }] },
    missing("metrics[2].timestamp"),
  ],
  ["a metric that is none", { metrics: [5] }, missing("metrics[0].key")],
  ["a param without key", { params: [{ value: "1" }] }, missing("params[0].key")],
  ["a tag without key", { tags: [{ key: "", value: "1" }] }, missing("tags[0].key")],
  [
    "a metric's bad key",
    { metrics: [{ key: "a,b", value: 1, timestamp: 1 }] },
    refused(`Invalid value "a,b" for parameter 'metrics[0].name' supplied: ${CHARACTERS}`),
  ],
  [
    "a metric before time",
    { metrics: [{ key: "m", value: 2, timestamp: -2 }] },
    refused(/^Invalid value -2 for parameter 'metrics\[0\].timestamp' supplied: metric 'm' \(value=2.0\)/),
  ],
  [
    "a param's bad key",
    { params: [{ key: "a/", value: "1" }] },
    refused(`Invalid value "a/" for parameter 'params[0].key' supplied: ${RESOLVES}'a'`),
  ],
  [
    "a tag's long key",
    { tags: [{ key: "k".repeat(251) }] },
    refused("'tags[0].key' exceeds the maximum length of 250 characters"),
  ],
  ["1,001 metrics", { metrics: metrics(1001) }, tooMany("metrics", 1000, 1001)],
  ["101 params", { params: pairs(101) }, tooMany("params", 100, 101)],
  ["101 tags", { tags: pairs(101) }, tooMany("tags", 100, 101)],
  [
    "1,001 items",
    { metrics: metrics(999), params: pairs(1), tags: pairs(1) },
    tooMany("metrics, params, and tags", 1000, 1001),
  ],
  [
    "params with one key",
    { params: [{ key: "a", value: "1" }, { key: "b" }, { key: "a", value: "1" }, { key: "b" }] },
    refused(
      "Duplicate parameter keys have been submitted: ['a', 'b']. Please ensure the request contains only one param value per param key.",
    ),
  ],
  // What MLflow takes and spoils.
  [
    "a value as text",
    { metrics: [{ key: "m", value: "x", timestamp: 1 }] },
    refused(/^Invalid value "x" for parameter 'metrics\[0\].value'/),
  ],
  [
    "a boolean",
    { metrics: [{ key: "m", value: true, timestamp: 1 }] },
    refused(/'metrics\[0\].value' supplied/),
  ],
  [
    "a fraction of a step",
    { metrics: [{ key: "m", value: 1, timestamp: 1, step: 0.5 }] },
    refused(/'metrics\[0\].step'/),
  ],
  [
    "a param as number",
    { params: [{ key: "p", value: 1 }] },
    refused(/^Invalid value 1 for parameter 'params\[0\].value'/),
  ],
])("runs/log-batch with %s", (_what, changes, expected) => {
  const body = Object.fromEntries(
    Object.entries({ run_id: "r", ...changes }).filter(([, value]) => value !== undefined),
  );
  const isRefused = expected !== null && typeof expected === "object" && "error_code" in expected;
  const read = { runId: "r", metrics: [], params: [], tags: [], ...Object(expected) };
  expect(outcome(() => readLogBatch(body))).toEqual(isRefused ? expected : read);
});
