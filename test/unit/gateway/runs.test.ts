import { expect, test } from "vitest";
import type { Raw } from "../../../src/gateway/requests/body.ts";
import { readCreateRun, readGetRun, readRunId, readUpdateRun } from "../../../src/gateway/requests/runs.ts";
import { missing, mistyped, outcome, refused } from "./refused.ts";

const CREATED = { experimentId: "1", userId: "", runName: "", startTime: 0, tags: [] };
const long = "k".repeat(251);

test.each<[Raw, unknown]>([
  [{ experiment_id: "1" }, CREATED],
  [
    { experiment_id: "1", user_id: "u", run_name: "r", start_time: 5, tags: [{ key: "b", value: "2" }] },
    { experimentId: "1", userId: "u", runName: "r", startTime: 5, tags: [{ key: "b", value: "2" }] },
  ],
  [{ experiment_id: "1", start_time: null, run_name: null, user_id: null, tags: null }, CREATED],
  [{ experiment_id: "1", run_id: "mine", unknown: {} }, CREATED],
  [
    { experimentId: "1", startTime: "12", runName: "r" },
    { ...CREATED, runName: "r", startTime: 12 },
  ],
  [
    { experiment_id: " 01", start_time: "1e3" },
    { ...CREATED, startTime: 1000 },
  ],
  [
    { experiment_id: "1_0", start_time: "1_0" },
    { ...CREATED, experimentId: "10", startTime: 10 },
  ],
  [
    { experiment_id: "1", start_time: -5 },
    { ...CREATED, startTime: -5 },
  ],
  [
    { experiment_id: "1", tags: [{ key: "a*", value: "1" }, { value: "2" }] },
    {
      ...CREATED,
      tags: [
        { key: "a*", value: "1" },
        { key: "", value: "2" },
      ],
    },
  ],
  [
    { experiment_id: "1", run_name: "y", tags: [{ key: "mlflow.runName", value: "y" }] },
    { ...CREATED, runName: "y", tags: [{ key: "mlflow.runName", value: "y" }] },
  ],
  [
    { experiment_id: "1", tags: [{ key: "k", value: "v".repeat(8001) }] },
    { ...CREATED, tags: [{ key: "k", value: "v".repeat(8000) }] },
  ],
  [
    {
      experiment_id: "1",
      run_name: "é".repeat(251),
      tags: [{ key: "mlflow.runName", value: "é".repeat(251) }],
    },
    {
      ...CREATED,
      runName: "é".repeat(250),
      tags: [{ key: "mlflow.runName", value: "é".repeat(250) }],
    },
  ],
  [
    { experiment_id: "1", run_name: "x", tags: [{ key: "mlflow.runName", value: "y" }] },
    refused(
      "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='x', mlflow.runName='y').",
    ),
  ],
  [
    {
      experiment_id: "1",
      tags: [
        { key: "a", value: "1" },
        { key: "a", value: "1" },
      ],
    },
    refused("A run's tags must have different keys.", "BAD_REQUEST"),
  ],
  [
    { experiment_id: "1", tags: [{ key: long }] },
    refused("'key' exceeds the maximum length of 250 characters"),
  ],
  [{}, refused("A run must name its experiment_id.", "BAD_REQUEST")],
  [{ experiment_id: "abc" }, refused("Invalid experiment ID 'abc'. Experiment ID must be a valid integer.")],
  [{ experiment_id: 1 }, mistyped("experiment_id", "1", "int")],
  [{ experiment_id: "1", start_time: "x" }, mistyped("start_time", '"x"', "str")],
  [{ experiment_id: "1", start_time: [] }, mistyped("start_time", "[]", "list")],
  [{ experiment_id: "1", run_name: 5 }, mistyped("run_name", "5", "int")],
  [
    { experiment_id: "1", experimentId: "1" },
    refused("Request specifies both 'experiment_id' and 'experimentId'; provide only one of them."),
  ],
  // What MLflow takes and spoils.
  [
    { experiment_id: "1", start_time: 1.5 },
    refused(/^Invalid value 1.5 for parameter 'start_time' supplied/),
  ],
  [{ experiment_id: "1", start_time: true }, refused(/^Invalid value true for parameter 'start_time'/)],
  [{ experiment_id: "1", start_time: 2 ** 53 }, refused(/^Invalid value 9007199254740992 for parameter/)],
  [{ experiment_id: "1", start_time: Number.NaN }, refused(/^Invalid value NaN for parameter 'start_time'/)],
  [{ experiment_id: "1", user_id: 5 }, refused(/^Invalid value 5 for parameter 'user_id' supplied/)],
  [{ experiment_id: "1", tags: { a: 1 } }, refused(/^Invalid value {"a":1} for parameter 'tags' supplied/)],
  [{ experiment_id: "1", tags: [null] }, refused(/^Invalid value null for parameter 'tags\[0\]' supplied/)],
  [{ experiment_id: "1", tags: [{ key: "k", value: 5 }] }, refused(/'tags\[0\].value' supplied/)],
  [{ experiment_id: "1", run_name: "\ud800" }, refused(/^Invalid value "\\ud800" for parameter 'run_name'/)],
])("runs/create %j", (body, expected) => {
  expect(outcome(() => readCreateRun(body))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [{ run_id: "r" }, { runId: "r" }],
  [{ run_uuid: "r" }, { runId: "r" }],
  [
    { run_id: "r", run_uuid: "s", status: "FINISHED", end_time: "7" },
    { runId: "r", status: "FINISHED", endTime: 7 },
  ],
  [
    { run_id: "r", status: 4, end_time: 0, run_name: "n" },
    { runId: "r", status: "FAILED", endTime: 0, runName: "n" },
  ],
  [{ run_id: "r", status: null, run_name: "" }, { runId: "r" }],
  [
    { run_id: "r", run_name: "n".repeat(251) },
    { runId: "r", runName: "n".repeat(250) },
  ],
  [{}, missing("run_id")],
  [{ run_id: "" }, missing("run_id")],
  [{ run_id: 5 }, mistyped("run_id", "5", "int")],
  [{ run_id: "r", end_time: "x" }, mistyped("end_time", '"x"', "str")],
  [{ run_id: "r", status: ["FINISHED"] }, mistyped("status", '["FINISHED"]', "list")],
  [{ run_id: "r", run_name: {} }, mistyped("run_name", "{}", "dict")],
  [
    { run_id: "r", status: "BOGUS", end_time: 7 },
    refused(
      "Invalid value \"BOGUS\" for parameter 'status' supplied: It must be one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED.",
    ),
  ],
  [{ run_id: "r", status: "finished" }, refused(/'status' supplied: It must be one of/)],
  [{ run_id: "r", end_time: 1.5 }, refused(/^Invalid value 1.5 for parameter 'end_time' supplied/)],
  [{ run_id: "r", end_time: false }, refused(/^Invalid value false for parameter 'end_time' supplied/)],
])("runs/update %j", (body, expected) => {
  expect(outcome(() => readUpdateRun(body))).toEqual(expected);
});

test.each<[string, unknown]>([
  ["run_id=r", { runId: "r" }],
  ["run_uuid=s", { runId: "s" }],
  ["run_id=r&run_id=other", { runId: "r" }],
  ["", missing("run_id")],
  ["run_id=", missing("run_id")],
  ["runId=r", missing("run_id")],
])("runs/get?%s", (query, expected) => {
  expect(outcome(() => readGetRun(new URLSearchParams(query)))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [{ run_id: "r" }, { runId: "r" }],
  [{ run_uuid: "r" }, { runId: "" }],
  [{}, missing("run_id")],
  [{ run_id: null }, missing("run_id")],
  [{ run_id: ["r"] }, mistyped("run_id", '["r"]', "list")],
])("runs/delete and runs/restore %j", (body, expected) => {
  expect(outcome(() => readRunId(body))).toEqual(expected);
});
