import { describe, expect, test } from "vitest";
import { endpointOf } from "../../../src/gateway/passing/endpoint.ts";
import { pathOf, segmentsIn, segmentsOf } from "../../../src/gateway/passing/path.ts";
import {
  pathBelowProxy,
  type Swap,
  swapArtifactPath,
  swapField,
  swapIn,
} from "../../../src/gateway/passing/swap.ts";
import { outcome, refused } from "./refused.ts";

const OWN = "a".repeat(32);
const THEIRS = "b".repeat(32);
const OTHER = "c".repeat(32);
const EXPERIMENT = "912345678901234567";
const MODEL = `m-${"d".repeat(32)}`;
const THEIR_MODEL = `m-${"e".repeat(32)}`;

/** As to MLflow: its run is where no path of ids would lead to. */
const swap: Swap = {
  run: (id) => (id === OWN ? THEIRS : id),
  experiment: (id) => (id === EXPERIMENT ? "7" : id),
  model: (id) => (id === MODEL ? THEIR_MODEL : id),
  root: (id) =>
    id === OWN
      ? `mlflow-artifacts:/team/x/${THEIRS}/artifacts`
      : id === MODEL
        ? `mlflow-artifacts:/team/x/models/${THEIR_MODEL}/artifacts`
        : null,
};

describe("ids in JSON", () => {
  test.each<[string, unknown, unknown]>([
    [
      "fields of runs",
      { run_id: OWN, run_uuid: OWN, a: [{ source_run_id: OWN }] },
      { run_id: THEIRS, run_uuid: THEIRS, a: [{ source_run_id: THEIRS }] },
    ],
    [
      "lists",
      { run_ids: [OWN, OTHER], experiment_ids: [EXPERIMENT, "0"] },
      { run_ids: [THEIRS, OTHER], experiment_ids: ["7", "0"] },
    ],
    [
      "names of GraphQL",
      { variables: { data: { runId: OWN, experimentIds: [EXPERIMENT] } } },
      { variables: { data: { runId: THEIRS, experimentIds: ["7"] } } },
    ],
    [
      "tags by their keys",
      [
        { key: "mlflow.parentRunId", value: OWN },
        { key: "note", value: OWN },
      ],
      [
        { key: "mlflow.parentRunId", value: THEIRS },
        { key: "note", value: OWN },
      ],
    ],
    [
      "tags by their names",
      { trace_metadata: { "mlflow.sourceRun": OWN } },
      { trace_metadata: { "mlflow.sourceRun": THEIRS } },
    ],
    ["addresses of runs", { source: `runs:/${OWN}/model` }, { source: `runs:/${THEIRS}/model` }],
    [
      "addresses of artifacts",
      { artifact_uri: `mlflow-artifacts:/${EXPERIMENT}/${OWN}/artifacts/a b` },
      { artifact_uri: `mlflow-artifacts:/team/x/${THEIRS}/artifacts/a b` },
    ],
    [
      "addresses with a server",
      { source: `mlflow-artifacts://relay:80/${EXPERIMENT}/models/m-1/artifacts` },
      { source: "mlflow-artifacts:/7/models/m-1/artifacts" },
    ],
    [
      "logged models by their fields",
      {
        model_id: MODEL,
        models: [{ model_id: MODEL, step: 0 }],
        trace_metadata: { "mlflow.modelId": MODEL },
      },
      {
        model_id: THEIR_MODEL,
        models: [{ model_id: THEIR_MODEL, step: 0 }],
        trace_metadata: { "mlflow.modelId": THEIR_MODEL },
      },
    ],
    ["addresses of logged models", { source: `models:/${MODEL}` }, { source: `models:/${THEIR_MODEL}` }],
    [
      "addresses of their files",
      { artifact_uri: `mlflow-artifacts:/${EXPERIMENT}/models/${MODEL}/artifacts/MLmodel` },
      { artifact_uri: `mlflow-artifacts:/team/x/models/${THEIR_MODEL}/artifacts/MLmodel` },
    ],
    [
      "what is called as a model's id is no id",
      { model_id: "iris", name: MODEL },
      { model_id: "iris", name: MODEL },
    ],
    [
      "addresses in a text of JSON",
      { source: `{"uri": "runs:/${OWN}/x"}` },
      { source: `{"uri": "runs:/${THEIRS}/x"}` },
    ],
    [
      "filters",
      { filter: `source_run_id = '${OWN}' and x IN ("${OTHER}", '${EXPERIMENT}')` },
      { filter: `source_run_id = '${THEIRS}' and x IN ("${OTHER}", '7')` },
    ],
    [
      "filters by an address",
      {
        filter: `source_path='runs:/${OWN}/m' AND source_path = "models:/${MODEL}"`,
        query: `source_path = 'mlflow-artifacts:/${EXPERIMENT}/${OWN}/artifacts/m'`,
      },
      {
        filter: `source_path='runs:/${THEIRS}/m' AND source_path = "models:/${THEIR_MODEL}"`,
        query: `source_path = 'mlflow-artifacts:/team/x/${THEIRS}/artifacts/m'`,
      },
    ],
    [
      "filters by MLflow's own tags, beside others with the same text",
      {
        filter: `tags.by = '${OWN}' AND tags.\`mlflow.prompt.associatedRunIds\` LIKE '%${OWN}%' and metadata.mlflow.sourceRun = "${OWN}"`,
        filter_string: `attributes.run_id = '${OWN}' AND tag."a AND 'b" = '${OWN}' AND trace.run_id = '${OWN}'`,
      },
      {
        filter: `tags.by = '${OWN}' AND tags.\`mlflow.prompt.associatedRunIds\` LIKE '%${THEIRS}%' and metadata.mlflow.sourceRun = "${THEIRS}"`,
        filter_string: `attributes.run_id = '${THEIRS}' AND tag."a AND 'b" = '${OWN}' AND trace.run_id = '${THEIRS}'`,
      },
    ],
    [
      "filters of what is counted over traces",
      {
        filters: [`trace.metadata.\`mlflow.sourceRun\` = '${OWN}'`, `trace.tag.by = '${OWN}'`],
        base_filter: `trace.run_id = '${OWN}'`,
        filter_string1: `run_id = '${OWN}'`,
        filter_string2: `metadata.mlflow.modelId = '${MODEL}'`,
      },
      {
        filters: [`trace.metadata.\`mlflow.sourceRun\` = '${THEIRS}'`, `trace.tag.by = '${OWN}'`],
        base_filter: `trace.run_id = '${THEIRS}'`,
        filter_string1: `run_id = '${THEIRS}'`,
        filter_string2: `metadata.mlflow.modelId = '${THEIR_MODEL}'`,
      },
    ],
    [
      "runs that assessments and prompts came from",
      [
        { metadata: { "mlflow.assessment.sourceRunId": OWN } },
        { key: "mlflow.prompt.associatedRunIds", value: `${OTHER},${OWN}` },
        { key: "mlflow.prompt.run_ids", value: OWN },
      ],
      [
        { metadata: { "mlflow.assessment.sourceRunId": THEIRS } },
        { key: "mlflow.prompt.associatedRunIds", value: `${OTHER},${THEIRS}` },
        { key: "mlflow.prompt.run_ids", value: THEIRS },
      ],
    ],
    [
      "whole numbers that no double holds",
      { run_id: OWN, at: 1_700_000_000_123_456_789n },
      { run_id: THEIRS, at: 1_700_000_000_123_456_789n },
    ],
    [
      "a name that means something to JavaScript",
      JSON.parse(`{"__proto__": {"run_id": "${OWN}"}}`),
      JSON.parse(`{"__proto__": {"run_id": "${THEIRS}"}}`),
    ],
  ])("%s", (_, given, expected) => {
    expect(swapIn(given, swap)).toEqual(expected);
  });

  test.each<[string, unknown]>([
    ["another's run", { run_id: OTHER }],
    ["a field that holds none", { name: OWN, params: [{ key: "run_id", value: null }] }],
    [
      "a text under a name that somebody chose",
      {
        params: [
          { key: "run_id", value: OWN },
          { key: "source", value: `runs:/${OWN}/x` },
        ],
      },
    ],
    [
      "a comparison with a text under such a name",
      { filter: `tags.by = '${OWN}' AND params.\`from\` IN ('runs:/${OWN}/x')` },
    ],
    ["a longer text", { source: `runs:/${OWN}0/model` }],
    ["storage that MLflow is not between", { artifact_uri: `s3://bucket/${OWN}/artifacts` }],
    ["no object", null],
  ])("%s stays, and what stays is the very same", (_, given) => {
    expect(swapIn(given, swap)).toBe(given);
  });
});

test.each([
  ["run_id", OWN, THEIRS],
  ["experiment_ids", EXPERIMENT, "7"],
  ["filter", `name = 'x' and run_id = '${OWN}'`, `name = 'x' and run_id = '${THEIRS}'`],
  ["name", OWN, OWN],
])("a query's %s", (name, given, expected) => {
  expect(swapField(name, given, swap)).toBe(expected);
});

test.each([
  [`${EXPERIMENT}/${OWN}/artifacts/model/x`, `team/x/${THEIRS}/artifacts/model/x`],
  [`${EXPERIMENT}/${OWN}/artifacts`, `team/x/${THEIRS}/artifacts`],
  // Where it is decides the run, not what it is under.
  [`0/${OWN}/artifacts/${OWN}/artifacts/x`, `team/x/${THEIRS}/artifacts/${OWN}/artifacts/x`],
  [`7/${OTHER}/artifacts/x`, `7/${OTHER}/artifacts/x`],
  [`${EXPERIMENT}/traces/tr-1/artifacts/traces.json`, "7/traces/tr-1/artifacts/traces.json"],
  [`7/models/m-${OTHER}/artifacts/${OWN}/artifacts/x`, `7/models/m-${OTHER}/artifacts/${OWN}/artifacts/x`],
  ["anything/else", "anything/else"],
])("the artifact path %s", (given, expected) => {
  expect(pathBelowProxy(swapArtifactPath(segmentsIn(given), swap))).toBe(expected);
});

test("an artifact root that MLflow does not serve has no path there", () => {
  for (const root of [
    "s3://bucket/artifacts",
    "mlflow-artifacts:/../../mlflow/users",
    "mlflow-artifacts://host/a/./b",
    "mlflow-artifacts:..",
  ]) {
    const elsewhere = { ...swap, root: () => root };
    expect(pathBelowProxy(swapArtifactPath(["7", OWN, "artifacts"], elsewhere))).toBeNull();
  }
});

describe("a path", () => {
  test.each(["/api/2.0/mlflow/a", "/a%20b/%C3%BC/100%25/a%2Bb%3F", "/a(1)/..a/b.../%25zz", "/a%2517b/%25ff"])(
    "%s is itself once more",
    (path) => {
      expect(segmentsOf(pathOf(segmentsOf(path)))).toEqual(segmentsOf(path));
    },
  );

  test.each([
    "/a/../b",
    "/a/./b",
    "/a//b",
    "/a/..%2fb",
    "/a%2fb",
    "/a/%2e%2e/b",
    "/a/%252e%252e/b",
    "/a/%252e%252e%252fb",
    "/a/%25252e%25252e%25252fb",
    "/a/..%5cb",
    "/a\\b",
    "/a/%255c../b",
    "/a/b%00",
    "/a/b%2500",
    "/a/b%17",
    "/a/%252e%2509%252e",
    "/a/%25ff%252f%252e%252e%252fb",
    "/a/b%0d%0ahost:%20x",
    "/a/%zz",
    "/a/%ff",
  ])("%s is none", (path) => {
    expect(outcome(() => segmentsOf(path))).toEqual(refused("Invalid path"));
  });
});

describe("who may ask what", () => {
  test.each([
    ["GET", "/api/2.0/mlflow/model-versions/search", "read"],
    ["HEAD", "/get-artifact", "read"],
    ["POST", "/api/2.0/mlflow/logged-models/search", "read"],
    ["POST", "/graphql", "read"],
    ["POST", "/api/3.0/mlflow/traces/batchGetInfos", "read"],
    ["POST", "/api/3.0/mlflow/traces", "ingest"],
    ["PUT", "/api/2.0/mlflow-artifacts/artifacts/0/gateway/users", "ingest"],
    ["DELETE", "/api/2.0/mlflow/registered-models/delete", "ingest"],
    ["POST", "/v1/traces", "ingest"],
    ["GET", "/api/2.0/mlflow/users/get", "admin"],
    ["POST", "/api/2.0/mlflow/experiments/permissions/create", "admin"],
    ["GET", "/ajax-api/3.0/mlflow/gateway/secrets/list", "admin"],
    ["POST", "/ajax-api/2.0/mlflow/gateway-proxy", "admin"],
    ["POST", "/api/2.0/mlflow/webhooks", "admin"],
    ["POST", "/ajax-api/3.0/mlflow/scorer/invoke", "admin"],
    ["POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke", "admin"],
    ["POST", "/ajax-api/3.0/mlflow/assistant/message", "admin"],
    ["GET", "/ajax-api/3.0/mlflow/assistant/config", "admin"],
    ["PATCH", "/ajax-api/3.0/mlflow/jobs/cancel/j-1", "admin"],
    ["PUT", "/api/3.0/mlflow/scorers/online-config", "admin"],
    ["DELETE", "/api/2.0/mlflow/logged-models/m-1/tags/users", "ingest"],
  ])("%s %s: %s", (method, path, scope) => {
    expect(endpointOf(method, segmentsOf(path))).toMatchObject({ scope, isPassed: true });
  });

  test.each([
    "/api/2.0/mlflow-artifacts/mpu/create/0/x",
    "/api/2.0/mlflow-artifacts/presigned/0/x",
    "/api/2.0/mlflow/artifacts/presigned-upload-url",
  ])("%s is for nobody", (path) => {
    expect(endpointOf("POST", segmentsOf(path)).isPassed).toBe(false);
  });
});
