import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { call, dataOf, newRun } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** Keys, values and lengths at MLflow's limits: what it would refuse is refused before it is acknowledged, and nothing else. */

beforeEach(emptied);

const ODD_KEYS = ["", "..", "a,b", "a\nb", "a//b", "🙂"];
const oddTags = ODD_KEYS.map((key) => ({ key, value: "v" }));
const log = (run_id: string) =>
  call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step: 1 });
const deadLetters = () => env.DB.prepare("select count(*) as n from dead_letters").first<number>("n");

describe("a new run's tags whose keys MLflow takes from runs/create alone", () => {
  it.each([["is heard"], ["is lost"]])("are in MLflow with the run when the answer %s", async (answer) => {
    const w = gatewayWorld();
    const experiment_id = await w.experiment();
    const run_id = await newRun({ experiment_id, tags: [...oddTags, { key: "plain", value: "p" }] });
    await log(run_id);
    let creates = 0;
    w.mlflow.trouble = (endpoint) =>
      endpoint === "runs/create" && answer === "is lost" && creates++ === 0 ? "unanswered" : null;
    expect(await w.deliver()).toBe(true);
    const [there, ...others] = w.mlflow.runs.values();
    expect(others).toEqual([]);
    for (const key of [...ODD_KEYS, "plain"]) expect(there?.tags.has(key)).toBe(true);
    expect(await deadLetters()).toBe(0);

    expect((await call("runs/delete-tag", { run_id, key: "a,b" })).status).toBe(200);
    expect(await w.deliver()).toBe(true);
    expect(there?.tags.has("a,b")).toBe(false);
    expect(await dataOf(run_id, "tags")).toMatchObject({ "a//b": "v" });
  });

  it("that were taken away before MLflow heard of the run are not made there", async () => {
    const w = gatewayWorld();
    const run_id = await newRun({ experiment_id: await w.experiment(), tags: oddTags });
    await call("runs/delete-tag", { run_id, key: "a,b" });
    expect(await w.deliver()).toBe(true);
    const [there] = w.mlflow.runs.values();
    expect([there?.tags.has("a,b"), there?.tags.has("a//b")]).toEqual([false, true]);
    expect(await deadLetters()).toBe(0);
  });
});

describe("a request is refused in MLflow's words", () => {
  const dataset = { name: "n", digest: "d", source_type: "s", source: "s" };
  const inputs = (input: object) => ({ datasets: [{ dataset, ...input }] });
  const metric = { key: "m", value: 1, timestamp: 1, step: 0 };
  const CONFIG = "Trace archival config must be encoded as a JSON object.";
  const RETENTION = "mlflow.trace.archivalRetention";

  it.each<[what: string, path: string, body: object, message: string]>([
    [
      "a tag of a dataset with a long key",
      "runs/log-inputs",
      inputs({ tags: [{ key: "k".repeat(256), value: "" }] }),
      "'key' exceeds the maximum length of 255 characters",
    ],
    [
      "a tag of a dataset with a long value",
      "runs/log-inputs",
      inputs({ tags: [{ key: "k", value: "v".repeat(501) }] }),
      "'value' exceeds the maximum length of 500 characters",
    ],
    [
      "a dataset with a long digest",
      "runs/log-inputs",
      inputs({ dataset: { ...dataset, digest: "d".repeat(37) } }),
      "'digest' exceeds the maximum length of 36 characters",
    ],
    [
      "a point on a dataset without a digest",
      "runs/log-metric",
      { ...metric, dataset_name: "n" },
      "Both dataset_name and dataset_digest must be provided if one is provided",
    ],
    [
      "a batch with a point on a digest without a dataset",
      "runs/log-batch",
      { metrics: [metric, { ...metric, key: "/", dataset_digest: "d" }] },
      "Both dataset_name and dataset_digest must be provided if one is provided",
    ],
    [
      "a setting of traces that is no JSON",
      "experiments/set-experiment-tag",
      { key: RETENTION, value: "5d" },
      CONFIG,
    ],
    [
      "a setting of traces that is no duration",
      "experiments/set-experiment-tag",
      { key: RETENTION, value: JSON.stringify({ type: "duration", value: "0d" }) },
      "Trace archival retention must be in the form `<int><unit>`, where unit is one of 'm', 'h', or 'd'.",
    ],
    [
      "a new experiment with such a setting",
      "experiments/create",
      { name: "traces", tags: [{ key: "mlflow.trace.archiveNow", value: "[]" }] },
      CONFIG,
    ],
  ])("%s", async (_, path, body, message) => {
    const experiment_id = await gatewayWorld().experiment();
    const run_id = await newRun({ experiment_id });
    const of = path.startsWith("runs/") ? { run_id } : path === "experiments/create" ? {} : { experiment_id };
    const answer = await call(path, { ...of, ...body });
    expect(answer).toMatchObject({
      status: 400,
      body: { error_code: "INVALID_PARAMETER_VALUE", message },
    });
  });

  it("a custom view beyond the fiftieth of an experiment, while those that are there may change", async () => {
    const experiment_id = await gatewayWorld().experiment();
    const view = (n: number) => ({ key: `mlflow.customView.view${n}`, value: "{}" });
    const set = (n: number) => call("experiments/set-experiment-tag", { experiment_id, ...view(n) });
    for (let n = 0; n < 50; n++) await set(n);
    expect((await set(7)).status).toBe(200);
    expect((await set(50)).body.message).toMatch(/^Unable to create another custom view for experiment \d+;/);
    const tags = Array.from({ length: 51 }, (_, n) => view(n));
    expect((await call("experiments/create", { name: "views", tags })).body.message).toMatch(
      /^Unable to create another custom view;/,
    );
  });

  it("a new run whose tag of its name is empty", async () => {
    const experiment_id = await gatewayWorld().experiment();
    const tags = [{ key: "mlflow.runName", value: "" }];
    const answer = await call("runs/create", { experiment_id, tags });
    expect(answer).toMatchObject({ status: 400, body: { error_code: "BAD_REQUEST" } });
  });
});

describe("a request is taken as by MLflow", () => {
  it("with 500 characters of two units each, and cut where another database has no room", async () => {
    const experiment_id = await gatewayWorld().experiment();
    const run_id = await newRun({ experiment_id, user_id: "u".repeat(300) });
    const dataset = { name: "𝒜".repeat(500), digest: "d", source_type: "s".repeat(100), source: "s" };
    expect((await call("runs/log-inputs", { run_id, datasets: [{ dataset }] })).status).toBe(200);
    const { body } = await call("runs/search", { experiment_ids: [experiment_id] });
    expect(body.runs[0].info.user_id).toBe("u".repeat(256));
  });

  it("with a NUL, which no other database holds, as a character that all hold", async () => {
    const run_id = await newRun({ experiment_id: await gatewayWorld().experiment() });
    expect((await call("runs/set-tag", { run_id, key: "a", value: "x\0y" })).status).toBe(200);
    expect(await dataOf(run_id, "tags")).toMatchObject({ a: "x\ufffdy" });
  });

  it("with a logged model's parameters and tags of any key that its columns hold", async () => {
    const experiment_id = await gatewayWorld().experiment();
    const keys = ["", "a,b", "k".repeat(255)];
    const pairs = keys.map((key) => ({ key, value: "v" }));
    const made = await call("logged-models", {
      experiment_id,
      name: "m",
      params: [...pairs, { key: "..", value: "v" }],
      tags: pairs,
    });
    expect(made.status).toBe(200);
    expect(made.body.model.data.params).toHaveLength(4);
  });
});
