import { type Ask, get, post } from "./ask.ts";
import { KEYS, oddly } from "./odd.ts";

/** Tags that are settings of traces, by MLflow's rules for those. */
const TRACE_SETTINGS: readonly [key: string, value: unknown][] = [
  ["archivalRetention", "5d"],
  ["archivalRetention", "{}"],
  ["archivalRetention", '{"type":"duration"}'],
  ["archivalRetention", '{"type":"duration","value":null}'],
  ["archivalRetention", '{"type":"duration","value":"05d"}'],
  ["archivalRetention", `{"type":"duration","value":"${"5".repeat(32)}d"}`],
  ["archivalRetention", '{"type":"duration","value":" 5d "}'],
  ["archiveNow", "[]"],
  ["archiveNow", "{}"],
  ["archiveNow", '{"older_than":5}'],
  ["archiveNow", '{"older_than":"30m"}'],
];

const shownOne = get("experiments/get", { experiment_id: "@e" });

/** What becomes of experiments. */
export const EXPERIMENTS: readonly Ask[] = [
  post("experiments/create", { name: "e" }, { keeps: "@e" }),
  shownOne,
  get("experiments/get-by-name", { experiment_name: "e" }),
  post("experiments/create", { name: "e" }),
  post(
    "experiments/create",
    { name: "tagged", tags: [{ key: "z", value: "1" }, { key: "a" }] },
    { keeps: "@tagged" },
  ),
  get("experiments/get", { experiment_id: "@tagged" }),
  post("experiments/create", { name: " odd/näme*\n" }, { keeps: "@named" }),
  get("experiments/get-by-name", { experiment_name: " odd/näme*\n" }),
  post("experiments/create", { name: "n".repeat(500) }),
  post("experiments/create", { name: "n".repeat(501) }),
  post("experiments/create", { name: "place", artifact_location: "s3://bucket/x" }, { keeps: "@place" }),
  get("experiments/get", { experiment_id: "@place" }),
  post("experiments/create", { name: "camel", artifactLocation: "s3://bucket/y" }),
  post("experiments/create", { name: "both", artifactLocation: "s3://b/y", artifact_location: "s3://b/z" }),
  ...[
    "s3://b/x#f",
    "/x/y;z",
    "http://h/y;z",
    "s3://b/y;z",
    "s3://b/x?a=../",
    "s3://b/x?a=%252e.",
    "runs:/x",
  ].map((artifact_location, i) => post("experiments/create", { name: `place ${i}`, artifact_location })),
  post("experiments/create", { name: "far", artifact_location: `s3://${"b".repeat(2050)}` }),
  post("experiments/create", { name: "hosts", artifact_location: "hdfs://host/x" }),
  post("experiments/create", { name: "twice", tags: [{ key: "a" }, { key: "a" }] }),
  post("experiments/create", { name: "bad tag", tags: [{ key: "a*" }] }),
  post("experiments/create", { name: "no key", tags: [{ value: "1" }] }),
  post("experiments/create", { name: "long tag", tags: [{ key: "a", value: "v".repeat(20_001) }] }),
  ...oddly(
    "experiments/create",
    { name: "e", artifact_location: "", tags: [] },
    {
      name: "text",
      artifact_location: "text",
      tags: "list",
    },
  ),

  ...["", "abc", "1.0", " @e", "999999999", "-1", "1__0"].map((experiment_id) =>
    get("experiments/get", { experiment_id }),
  ),
  get("experiments/get", { experiment_id: "99999999999999999999" }),
  get("experiments/get", { experimentId: "@e" }),
  get("experiments/get"),
  get("experiments/get-by-name", { experiment_name: "nobody's \"it's\"" }),
  get("experiments/get-by-name", { experiment_name: "" }),
  get("experiments/get-by-name"),

  post("experiments/update", { experiment_id: "@e", new_name: "renamed" }),
  shownOne,
  get("experiments/get-by-name", { experiment_name: "e" }),
  post("experiments/update", { experiment_id: "@e", new_name: "renamed" }),
  post("experiments/update", { experiment_id: "@e", new_name: "tagged" }),
  post("experiments/update", { experiment_id: "@e", new_name: "n".repeat(501) }),
  post("experiments/update", { experiment_id: "abc", new_name: "n".repeat(501) }),
  post("experiments/update", { experiment_id: "abc", new_name: "x" }),
  post("experiments/update", { experiment_id: "999999999", new_name: "x" }),
  ...oddly(
    "experiments/update",
    { experiment_id: "@e", new_name: "renamed" },
    { experiment_id: "text", new_name: "text" },
  ),

  post("experiments/set-experiment-tag", { experiment_id: "@e", key: "t", value: "1" }),
  post("experiments/set-experiment-tag", { experiment_id: "@e", key: "t", value: "2" }),
  post("experiments/set-experiment-tag", { experiment_id: "@e", key: "u" }),
  post("experiments/set-experiment-tag", { experiment_id: "@e", key: "v", value: "v".repeat(20_001) }),
  post("experiments/set-experiment-tag", { experiment_id: "999999999", key: "t", value: "1" }),
  ...TRACE_SETTINGS.map(([key, value]) =>
    post("experiments/set-experiment-tag", { experiment_id: "@e", key: `mlflow.trace.${key}`, value }),
  ),
  post("experiments/set-experiment-tag", { experiment_id: "abc", key: "t", value: "1" }),
  post("experiments/set-experiment-tag", { experiment_id: "abc", key: "a*", value: "1" }),
  shownOne,
  ...KEYS.map((key) => post("experiments/set-experiment-tag", { experiment_id: "@tagged", key, value: "v" })),
  ...oddly(
    "experiments/set-experiment-tag",
    { experiment_id: "@e", key: "odd", value: "" },
    {
      experiment_id: "text",
      key: "text",
      value: "text",
    },
  ),
  post("experiments/delete-experiment-tag", { experiment_id: "@e", key: "t" }),
  post("experiments/delete-experiment-tag", { experiment_id: "@e", key: "t" }),
  post("experiments/delete-experiment-tag", { experiment_id: "999999999", key: "t" }),
  ...oddly(
    "experiments/delete-experiment-tag",
    { experiment_id: "@e", key: "nothing" },
    {
      experiment_id: "text",
      key: "text",
    },
  ),

  post("experiments/create", { name: "to delete" }, { keeps: "@d" }),
  post("experiments/restore", { experiment_id: "@d" }),
  post("experiments/delete", { experiment_id: "@d" }),
  post("experiments/delete", { experiment_id: "@d" }),
  get("experiments/get", { experiment_id: "@d" }),
  get("experiments/get-by-name", { experiment_name: "to delete" }),
  post("experiments/create", { name: "to delete" }),
  post("experiments/update", { experiment_id: "@d", new_name: "x" }),
  post("experiments/set-experiment-tag", { experiment_id: "@d", key: "t", value: "1" }),
  post("experiments/delete-experiment-tag", { experiment_id: "@d", key: "t" }),
  post("experiments/restore", { experiment_id: "@d" }),
  get("experiments/get", { experiment_id: "@d" }),
  ...["experiments/delete", "experiments/restore"].flatMap((path) => [
    post(path, { experiment_id: "999999999" }),
    post(path, { experiment_id: "abc" }),
    ...oddly(path, { experiment_id: "999999999" }, { experiment_id: "text" }),
  ]),
];
