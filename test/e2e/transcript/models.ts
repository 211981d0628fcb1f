import { type Ask, get, post, send } from "./ask.ts";

/** Logged models, and what runs have to do with them. */

const pair = (key: string, value: string) => ({ key, value });
const model = (more: object = {}) =>
  post("logged-models", { experiment_id: "@models", name: "tree", ...more });
const of = (method: "GET" | "POST" | "PATCH" | "DELETE", rest: string, body?: unknown): Ask =>
  send(method, `logged-models/@tree${rest}`, body);
const dataset = { name: "iris", digest: "5f", source_type: "local", source: "s" };
const point = { key: "loss", value: 0.5, timestamp: 1_000, step: 2 };

export const MODELS: readonly Ask[] = [
  post("experiments/create", { name: "models" }, { keeps: "@models" }),
  post("runs/create", { experiment_id: "@models", start_time: 1, run_name: "maker" }, { keeps: "@maker" }),
  {
    ...model({
      model_type: "sklearn",
      source_run_id: "@maker",
      params: [pair("depth", "3"), pair("alpha", "")],
      tags: [pair("b", "2"), pair("a", "1")],
    }),
    keeps: "@tree",
  },
  model({ name: "" }),
  model({ name: "a/b" }),
  model({ name: "it's" }),
  post("logged-models", {}),
  post("logged-models", { experiment_id: "@models", name: 3 }),
  post("logged-models", { experiment_id: "x", name: "tree" }),
  post("logged-models", { experiment_id: "999999999", name: "tree" }),
  of("GET", ""),
  get("logged-models/m-0123456789abcdef0123456789abcdef"),
  of("PATCH", "/tags", { tags: [pair("a", "3"), pair("c", "4"), pair("c", "5")] }),
  of("PATCH", "/tags", {}),
  of("DELETE", "/tags/c"),
  of("DELETE", "/tags/none"),
  of("POST", "/params", { model_id: "@tree", params: [pair("late", "1")] }),
  of("POST", "/params", { params: [pair("later", "1")] }),
  of("POST", "/params", { model_id: "@tree", params: [pair("late", "2")] }),
  of("PATCH", "", { model_id: "@tree", status: "LOGGED_MODEL_READY" }),
  of("PATCH", "", { model_id: "@tree", status: 3 }),
  of("PATCH", "", { model_id: "@tree" }),
  of("PATCH", "", { status: "LOGGED_MODEL_READY" }),
  post("runs/log-metric", { run_id: "@maker", ...point }),
  post("runs/log-batch", { run_id: "@maker", metrics: [{ ...point, model_id: "@tree" }] }),
  post("runs/log-metric", {
    run_id: "@maker",
    ...point,
    step: 3,
    model_id: "@tree",
    dataset_name: "iris",
    dataset_digest: "5f",
  }),
  post("runs/log-metric", { run_id: "@maker", ...point, dataset_name: "iris" }),
  post("runs/log-batch", { run_id: "@maker", metrics: [{ ...point, key: "a*", dataset_digest: "5f" }] }),
  post("runs/log-inputs", {
    run_id: "@maker",
    datasets: [{ dataset: { ...dataset, digest: "d".repeat(37) } }],
  }),
  post("runs/log-inputs", {
    run_id: "@maker",
    datasets: [{ dataset: { ...dataset, name: "𝒜".repeat(501) } }],
  }),
  post("runs/log-inputs", { run_id: "@maker", datasets: [{ dataset, tags: [pair("k".repeat(256), "v")] }] }),
  post("runs/log-inputs", { run_id: "@maker", datasets: [{ dataset, tags: [pair("k", "v".repeat(501))] }] }),
  post("runs/log-inputs", { run_id: "@maker?", datasets: [] }),
  post("logged-models", {
    experiment_id: "@models",
    name: "odd",
    params: ["", ".", "a,b", "k".repeat(255)].map((key) => pair(key, "1")),
    tags: ["", "a,b", "k".repeat(255)].map((key) => pair(key, "1")),
  }),
  post("runs/outputs", { run_id: "@maker", models: [{ model_id: "@tree", step: 1 }] }),
  post("runs/outputs", { run_id: "@maker" }),
  post("runs/outputs", { models: [{ model_id: "@tree" }] }),
  post("runs/log-inputs", { run_id: "@maker", models: [{ model_id: "@tree" }], datasets: [] }),
  get("runs/get", { run_id: "@maker" }),
  of("GET", ""),
  post("logged-models/search", { experiment_ids: ["@models"], filter: "name = 'tree'" }),
  post("logged-models/search", {
    experiment_ids: ["@models"],
    filter: "metrics.loss < 1 AND params.depth = '3'",
  }),
  post("logged-models/search", { experiment_ids: ["@models"], filter: "tags.a != '3'" }),
  post("logged-models/search", {
    experiment_ids: ["@models"],
    filter: "name LIKE 'tr%'",
    order_by: [{ field_name: "metrics.loss", ascending: false }],
  }),
  post("logged-models/search", { experiment_ids: ["@models"], datasets: [{ dataset_name: "none" }] }),
  post("logged-models/search", { experiment_ids: [] }),
  post("logged-models/search", {}),
  of("DELETE", ""),
  of("GET", ""),
  get("logged-models/@tree", { allow_deleted: "true" }),
  of("DELETE", ""),
];
