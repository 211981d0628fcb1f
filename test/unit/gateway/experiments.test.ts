import { expect, test } from "vitest";
import type { Raw } from "../../../src/gateway/requests/body.ts";
import {
  readCreateExperiment,
  readDeleteExperimentTag,
  readExperimentId,
  readGetExperiment,
  readGetExperimentByName,
  readSetExperimentTag,
  readUpdateExperiment,
} from "../../../src/gateway/requests/experiments.ts";
import { missing, mistyped, outcome, refused } from "./refused.ts";

const NO_INTEGER = refused("Invalid experiment ID 'x'. Experiment ID must be a valid integer.");
const EMPTY_KEY = refused(/^Invalid value "" for parameter 'key' supplied: Names may be treated as files/);
const TOO_MUCH = refused("'artifact_location' URL can't include fragments or params.");

test.each<[Raw, unknown]>([
  [{ name: "a" }, { name: "a", artifactLocation: "", tags: [] }],
  [{ name: "n".repeat(500) }, { name: "n".repeat(500), artifactLocation: "", tags: [] }],
  [{ name: " /weird\n*" }, { name: " /weird\n*", artifactLocation: "", tags: [] }],
  [
    { name: "a", artifactLocation: "s3://b/x;y", tags: [{ key: "k" }] },
    { name: "a", artifactLocation: "s3://b/x;y", tags: [{ key: "k", value: "" }] },
  ],
  [{}, missing("name")],
  [{ name: "" }, missing("name")],
  [{ name: 5 }, mistyped("name", "5", "int")],
  [{ name: "n".repeat(501) }, refused("'name' exceeds the maximum length of 500 characters")],
  [{ name: "a", artifact_location: 5 }, mistyped("artifact_location", "5", "int")],
  [{ name: "a", tags: 5 }, mistyped("tags", "5", "int")],
  [{ name: "a", tags: [{ value: "x" }] }, EMPTY_KEY],
  [
    { name: "a", tags: [{ key: "a*" }] },
    refused(/^Invalid value "a\*" for parameter 'key' supplied: Names may only/),
  ],
  [
    { name: "a", tags: [{ key: "k", value: "v".repeat(20_001) }] },
    refused("'value' exceeds the maximum length of 20000 characters"),
  ],
  [
    { name: "a", tags: [{ key: "k" }, { key: "k" }] },
    refused(/^Experiment\(name=a\) already exists. Error: /, "RESOURCE_ALREADY_EXISTS"),
  ],
  [{ name: "a", artifact_location: "s3://b/x#f" }, TOO_MUCH],
  [{ name: "a", artifact_location: "/x/y;z" }, TOO_MUCH],
  [{ name: "a", artifact_location: "http://x/y;z" }, TOO_MUCH],
  [{ name: "a", artifact_location: "s3://b/x?a=../" }, refused("Invalid query string")],
  [{ name: "a", artifact_location: "s3://b/x?a=%252e." }, refused("Invalid query string")],
  [
    { name: "a", artifact_location: "runs:/x" },
    refused("Artifact location cannot be a runs:/ URI. Given: 'runs:/x'"),
  ],
  [{ name: "a", artifact_location: `s3://${"b".repeat(2050)}` }, refused(/^Invalid artifact path length. /)],
  [
    { name: "a", artifactLocation: "s3://b/y", artifact_location: "s3://b/z" },
    refused("Request specifies both 'artifact_location' and 'artifactLocation'; provide only one of them."),
  ],
  [{ name: "a", tags: [5] }, refused(/^Invalid value 5 for parameter 'tags\[0\]' supplied/)],
])("experiments/create %j", (body, expected) => {
  expect(outcome(() => readCreateExperiment(body))).toEqual(expected);
});

test.each<[string, unknown]>([
  ["experiment_id=1", { experimentId: "1" }],
  ["experiment_id=%2001", { experimentId: "1" }],
  ["experiment_id=900000000000000001", { experimentId: "900000000000000001" }],
  ["experiment_id=0", { experimentId: "0" }],
  ["", missing("experiment_id")],
  ["experiment_id=", missing("experiment_id")],
  ["experimentId=1", missing("experiment_id")],
  ["experiment_id=x", NO_INTEGER],
])("experiments/get?%s", (query, expected) => {
  expect(outcome(() => readGetExperiment(new URLSearchParams(query)))).toEqual(expected);
});

test.each<[string, unknown]>([
  ["experiment_name=a%20b", { name: "a b" }],
  ["name=a", missing("experiment_name")],
])("experiments/get-by-name?%s", (query, expected) => {
  expect(outcome(() => readGetExperimentByName(new URLSearchParams(query)))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [{ experiment_id: "1" }, { experimentId: "1" }],
  [{ experiment_id: 1 }, mistyped("experiment_id", "1", "int")],
  [{ experiment_id: "" }, missing("experiment_id")],
  [{ experiment_id: "x" }, NO_INTEGER],
])("experiments/delete and experiments/restore %j", (body, expected) => {
  expect(outcome(() => readExperimentId(body))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [
    { experiment_id: "1", new_name: "b" },
    { experimentId: "1", newName: "b" },
  ],
  [{ experiment_id: "1" }, missing("new_name")],
  [{ experiment_id: "1", new_name: "" }, missing("new_name")],
  [{ experiment_id: "1", new_name: 5 }, mistyped("new_name", "5", "int")],
  [
    { experiment_id: "x", new_name: "n".repeat(501) },
    refused("'name' exceeds the maximum length of 500 characters"),
  ],
  [{ experiment_id: "x", new_name: "b" }, NO_INTEGER],
])("experiments/update %j", (body, expected) => {
  expect(outcome(() => readUpdateExperiment(body))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [
    { experiment_id: "1", key: "k", value: "v" },
    { experimentId: "1", key: "k", value: "v" },
  ],
  [
    { experiment_id: "1", key: "k", value: null },
    { experimentId: "1", key: "k", value: "" },
  ],
  [{ experiment_id: "1", value: "v" }, missing("key")],
  [{ experiment_id: "1", key: "k", value: 5 }, mistyped("value", "5", "int")],
  [
    { experiment_id: "1", key: "k".repeat(251) },
    refused("'key' exceeds the maximum length of 250 characters"),
  ],
  [
    { experiment_id: "x", key: "a*" },
    refused(/^Invalid value "a\*" for parameter 'key' supplied: Names may only/),
  ],
  [{ experiment_id: "x", key: "k" }, NO_INTEGER],
])("experiments/set-experiment-tag %j", (body, expected) => {
  expect(outcome(() => readSetExperimentTag(body))).toEqual(expected);
});

test.each<[Raw, unknown]>([
  [
    { experiment_id: "1", key: "a*" },
    { experimentId: "1", key: "a*" },
  ],
  [{ experiment_id: "1" }, missing("key")],
  [{ key: "k" }, missing("experiment_id")],
])("experiments/delete-experiment-tag %j", (body, expected) => {
  expect(outcome(() => readDeleteExperimentTag(body))).toEqual(expected);
});
