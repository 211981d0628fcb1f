import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  freePort,
  type MlflowServer,
  type MlflowVersion,
  startMlflow,
} from "../../scripts/lib/mlflow-server.ts";
import { createMlflowClient, type MlflowClient } from "../../src/mlflow/client.ts";
import type { FailureKind, Result } from "../../src/mlflow/failure.ts";
import { tagEquals } from "../../src/mlflow/filter.ts";
import type { Observation } from "../../src/mlflow/http.ts";
import { storedValue } from "../../src/mlflow/json.ts";

const NO_RUN = "f".repeat(32);
const NO_EXPERIMENT = "99999";
const VERSIONS: MlflowVersion[] = ["3", "2"];

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.failure.kind}: ${result.failure.message}`);
  return result.value;
}

function kind<T>(result: Result<T>): FailureKind | "ok" {
  return result.ok ? "ok" : result.failure.kind;
}

describe.each(VERSIONS)("MLflow %s", (version) => {
  let dataDir: string;
  let server: MlflowServer;
  let client: MlflowClient;
  let experimentId: string;
  const observed: Observation[] = [];

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "mlflow-client-"));
    server = await startMlflow({ version, port: await freePort(), dataDir, report: console.log });
    client = createMlflowClient(
      { trackingUri: `${server.uri}/`, auth: { kind: "none" }, extraHeaders: {}, timeoutMs: 30_000 },
      { fetch: (url, init) => fetch(url, init), now: Date.now, observe: (o) => observed.push(o) },
    );
    experimentId = value(await client.createExperiment({ name: "shared" }));
  });

  afterAll(async () => {
    await server?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** What the client has no function for, because the relay never does it. */
  async function call(endpoint: string, body: object): Promise<void> {
    const response = await fetch(`${server.uri}/api/2.0/mlflow/${endpoint}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  }

  const deleteExperiment = (id: string) => call("experiments/delete", { experiment_id: id });

  async function newRun(tags: { key: string; value: string }[] = []): Promise<string> {
    const run = await client.createRun({ experimentId, runName: "r", startTime: 5, tags });
    return value(run).info.runId;
  }

  async function history(runId: string, key: string, maxResults?: number) {
    const pages = await Array.fromAsync(client.metricHistory(runId, key, maxResults));
    return pages.map(value);
  }

  test("experiments: create, get, by name", async () => {
    const name = `it's "50%" & ünïcode/${version}`;
    const id = value(await client.createExperiment({ name, tags: [{ key: "team", value: "ü" }] }));
    expect(id).toMatch(/^\d+$/);
    const experiment = value(await client.getExperiment(id));
    expect(experiment).toMatchObject({ experimentId: id, name, lifecycleStage: "active" });
    expect(experiment.tags).toEqual([{ key: "team", value: "ü" }]);
    expect(experiment.artifactLocation).toContain("mlflow-artifacts:");
    expect(Math.abs(Date.now() - (experiment.creationTime ?? 0))).toBeLessThan(60_000);
    expect(value(await client.getExperimentByName(name))).toEqual(experiment);
  });

  test("experiments: taken and unknown names, unknown ids", async () => {
    expect(kind(await client.createExperiment({ name: "shared" }))).toBe("exists");
    expect(kind(await client.createExperiment({ name: "" }))).toBe("invalid");
    expect(kind(await client.getExperimentByName("no such name"))).toBe("missing");
    expect(kind(await client.getExperiment(NO_EXPERIMENT))).toBe("gone");
    expect(kind(await client.restoreExperiment(NO_EXPERIMENT))).toBe("gone");
    const sameTag = [
      { key: "a", value: "1" },
      { key: "a", value: "2" },
    ];
    expect(kind(await client.createExperiment({ name: `tags ${version}`, tags: sameTag }))).toBe("exists");
  });

  test("experiments: search in pages", async () => {
    for (const i of [1, 2, 3]) value(await client.createExperiment({ name: `page-${i}` }));
    const search = { filter: "name LIKE 'page-%'", maxResults: 2, orderBy: ["name ASC"] };
    const first = value(await client.searchExperiments(search));
    expect(first.items.map((e) => e.name)).toEqual(["page-1", "page-2"]);
    const second = value(await client.searchExperiments({ ...search, pageToken: first.nextPageToken ?? "" }));
    expect(second).toMatchObject({ items: [{ name: "page-3" }], nextPageToken: null });
    expect(value(await client.searchExperiments({ ...search, filter: "name = 'none'" })).items).toEqual([]);
    expect(kind(await client.searchExperiments({ ...search, filter: "nonsense = 1" }))).toBe("invalid");
  });

  test("experiments: deleted, then restored with its runs", async () => {
    const name = "to delete";
    const id = value(await client.createExperiment({ name }));
    const run = value(await client.createRun({ experimentId: id, runName: "r", startTime: 1, tags: [] }));
    await deleteExperiment(id);
    expect(value(await client.getExperimentByName(name)).lifecycleStage).toBe("deleted");
    const deleted = await client.searchExperiments({ viewType: "DELETED_ONLY", maxResults: 10 });
    expect(value(deleted).items.map((e) => e.experimentId)).toEqual([id]);
    expect(kind(await client.createExperiment({ name }))).toBe("exists");
    expect(kind(await client.createRun({ experimentId: id, runName: "x", startTime: 1, tags: [] }))).toBe(
      "gone",
    );
    expect(kind(await client.setTag({ runId: run.info.runId, key: "k", value: "v" }))).toBe("gone");
    expect(kind(await client.restoreExperiment(id))).toBe("ok");
    expect(value(await client.getExperiment(id)).lifecycleStage).toBe("active");
    expect(kind(await client.setTag({ runId: run.info.runId, key: "k", value: "v" }))).toBe("ok");
    expect(kind(await client.restoreExperiment(id))).toBe("gone"); // not deleted: MLflow makes no difference
  });

  test("experiments: renamed", async () => {
    const experimentId = value(await client.createExperiment({ name: "old name" }));
    value(await client.updateExperiment({ experimentId, newName: "new name" }));
    expect(value(await client.getExperiment(experimentId)).name).toBe("new name");
    expect(kind(await client.getExperimentByName("old name"))).toBe("missing");
    expect(kind(await client.updateExperiment({ experimentId, newName: "shared" }))).toBe("duplicate");
    await deleteExperiment(experimentId);
    expect(kind(await client.updateExperiment({ experimentId, newName: "third name" }))).toBe("gone");
    expect(kind(await client.updateExperiment({ experimentId: NO_EXPERIMENT, newName: "x" }))).toBe("gone");
  });

  test("runs: create, get, update", async () => {
    const startTime = 1_795_438_516_647;
    const tags = [{ key: "nonce", value: "abc" }];
    const created = value(
      await client.createRun({ experimentId, runName: "first", startTime, userId: "ann", tags }),
    );
    expect(created.info).toMatchObject({
      experimentId,
      runName: "first",
      userId: "ann",
      startTime,
      endTime: null,
    });
    expect(created.info.runId).toMatch(/^[0-9a-f]{32}$/);
    expect(created.data.tags).toContainEqual({ key: "nonce", value: "abc" });
    const runId = created.info.runId;
    expect(value(await client.getRun(runId))).toEqual(created);
    const endTime = startTime + 7;
    const updated = value(await client.updateRun({ runId, status: "FINISHED", endTime, runName: "renamed" }));
    expect(updated).toMatchObject({ runId, status: "FINISHED", endTime, runName: "renamed" });
    const run = value(await client.getRun(runId));
    expect(run.info).toEqual(updated);
    expect(run.data.tags).toContainEqual({ key: "mlflow.runName", value: "renamed" });
    expect(value(await client.updateRun({ runId, status: "RUNNING" }))).toMatchObject({
      status: "RUNNING",
      endTime,
    });
  });

  test("runs: unknown ones are gone, whatever the call", async () => {
    const run = { runId: NO_RUN };
    const metric = { key: "m", value: 1, timestamp: 1, step: 0 };
    const pair = { key: "k", value: "v" };
    const calls = [
      client.getRun(NO_RUN),
      client.updateRun({ ...run, status: "FINISHED" }),
      client.deleteRun(NO_RUN),
      client.restoreRun(NO_RUN),
      client.logMetric({ ...run, ...metric }),
      client.logParameter({ ...run, ...pair }),
      client.setTag({ ...run, ...pair }),
      client.deleteTag({ ...run, key: "k" }),
      client.logBatch({ ...run, metrics: [metric], params: [pair], tags: [pair] }),
      client.createRun({ experimentId: NO_EXPERIMENT, runName: "x", startTime: 1, tags: [] }),
    ];
    const kinds = (await Promise.all<Result<unknown>>(calls)).map(kind);
    expect(kinds).toEqual(calls.map(() => "gone"));
    expect(await history(NO_RUN, "m")).toEqual([[]]);
  });

  test("runs: deleted, then restored", async () => {
    const runId = await newRun();
    expect(kind(await client.deleteRun(runId))).toBe("ok");
    expect(kind(await client.deleteRun(runId))).toBe("ok");
    expect(value(await client.getRun(runId)).info.lifecycleStage).toBe("deleted");
    const batch = { runId, metrics: [], params: [], tags: [{ key: "k", value: "v" }] };
    expect(kind(await client.logBatch(batch))).toBe("gone");
    expect(kind(await client.logMetric({ runId, key: "m", value: 1, timestamp: 1, step: 0 }))).toBe("gone");
    expect(kind(await client.updateRun({ runId, status: "FINISHED" }))).toBe("gone");
    expect(kind(await client.restoreRun(runId))).toBe("ok");
    expect(kind(await client.restoreRun(runId))).toBe("ok");
    expect(kind(await client.logBatch(batch))).toBe("ok");
  });

  test("runs: inputs, and several runs by their ids", async () => {
    const [runId, deleted, other] = [await newRun(), await newRun(), await newRun()];
    await call("runs/log-inputs", {
      run_id: runId,
      datasets: [
        {
          tags: [{ key: "mlflow.data.context", value: "training" }],
          dataset: { name: "moons", digest: "d1", source_type: "local", source: "/moons", schema: "{}" },
        },
      ],
    });
    value(await client.deleteRun(deleted));
    const filter = `attributes.run_id IN ('${runId}','${deleted}','${NO_RUN}')`;
    const search = { experimentIds: [experimentId], filter, maxResults: 10 };
    const { items } = value(await client.searchRuns({ ...search, viewType: "ALL" }));
    expect(items.map((run) => run.info.runId).sort()).toEqual([runId, deleted].sort());
    expect(items.map((run) => run.info.runId)).not.toContain(other);
    const run = value(await client.getRun(runId));
    expect(run.inputs.datasets).toEqual([
      {
        name: "moons",
        digest: "d1",
        sourceType: "local",
        source: "/moons",
        schema: "{}",
        profile: null,
        tags: [{ key: "mlflow.data.context", value: "training" }],
      },
    ]);
    expect(items).toContainEqual(run);
  });

  test("runs: search by view type, in order and in pages", async () => {
    const tag = { key: "search.group", value: `paging ${version}` };
    const ids = [await newRun([tag]), await newRun([tag]), await newRun([tag])];
    value(await client.deleteRun(ids[2] ?? ""));
    const search = {
      experimentIds: [experimentId],
      filter: tagEquals(tag.key, tag.value) ?? "",
      orderBy: ["attributes.run_id ASC"],
    };
    const first = value(await client.searchRuns({ ...search, viewType: "ALL", maxResults: 2 }));
    const pageToken = first.nextPageToken ?? "";
    const second = value(await client.searchRuns({ ...search, viewType: "ALL", maxResults: 2, pageToken }));
    expect(first.items).toHaveLength(2);
    expect(second.items).toHaveLength(1);
    expect(second.nextPageToken).toBeNull();
    expect([...first.items, ...second.items].map((r) => r.info.runId)).toEqual(ids.toSorted());
    const active = value(await client.searchRuns({ ...search, maxResults: 10 }));
    expect(active.items.map((r) => r.info.runId)).toEqual(ids.slice(0, 2).toSorted());
    const deleted = value(await client.searchRuns({ ...search, viewType: "DELETED_ONLY", maxResults: 10 }));
    expect(deleted.items.map((r) => r.info.runId)).toEqual(ids.slice(2));
    expect(value(await client.searchRuns({ ...search, experimentIds: [], maxResults: 10 })).items).toEqual(
      [],
    );
  });

  test.each([
    ["plain", "x"],
    ["a.b c", "it's"],
    ["a'b", 'say "x"'],
    ['a"b', "a\\b"],
    ["a`b", "per%cent_"],
    ["v", ""],
    ["v", "''"],
    ["v", "x' AND tags.w = 'w"],
    ["v", "ü ♥\n;--"],
  ])("tagEquals finds exactly the run with %j = %j, alone and joined", async (key, text) => {
    const runId = await newRun([
      { key, value: text },
      { key: "w", value: "w" },
    ]);
    await newRun([{ key, value: `${text}!` }]);
    const filter = tagEquals(key, text);
    expect(filter).not.toBeNull();
    for (const joined of [`${filter}`, `${filter} AND ${tagEquals("w", "w")}`]) {
      const found = await client.searchRuns({ experimentIds: [experimentId], filter: joined, maxResults: 5 });
      expect(value(found).items.map((r) => r.info.runId)).toEqual([runId]);
    }
  });

  test("tags and parameters", async () => {
    const runId = await newRun();
    value(await client.setTag({ runId, key: "t", value: "1" }));
    value(await client.setTag({ runId, key: "t", value: "2" }));
    value(await client.setTag({ runId, key: "empty", value: "" }));
    value(await client.logParameter({ runId, key: "p", value: "0.1" }));
    expect(kind(await client.logParameter({ runId, key: "p", value: "0.1" }))).toBe("ok");
    expect(kind(await client.logParameter({ runId, key: "p", value: "0.2" }))).toBe("conflict");
    const clash = {
      runId,
      metrics: [],
      params: [{ key: "p", value: "0.2" }],
      tags: [{ key: "never", value: "x" }],
    };
    expect(kind(await client.logBatch(clash))).toBe("conflict");
    const { data } = value(await client.getRun(runId));
    expect(data.params).toEqual([{ key: "p", value: "0.1" }]);
    expect(data.tags).toContainEqual({ key: "t", value: "2" });
    expect(data.tags).toContainEqual({ key: "empty", value: "" });
    expect(data.tags.map((t) => t.key)).not.toContain("never");
    expect(kind(await client.deleteTag({ runId, key: "t" }))).toBe("ok");
    expect(kind(await client.deleteTag({ runId, key: "t" }))).toBe("missing");
    const twice = [
      { key: "q", value: "1" },
      { key: "q", value: "1" },
    ];
    expect(kind(await client.logBatch({ runId, metrics: [], params: twice, tags: [] }))).toBe("invalid");
    expect(kind(await client.createRun({ experimentId, runName: "x", startTime: 1, tags: twice }))).toBe(
      "duplicate",
    );
  });

  test("steps beyond 2^53 come back exactly", async () => {
    const runId = await newRun();
    const steps = [-(2n ** 63n), -(2n ** 53n) - 1n, -1, 0, 7, 2n ** 53n + 1n, 2n ** 63n - 1n];
    const metrics = steps.map((step) => ({ key: "big", value: 0.5, timestamp: 1_795_438_516_647, step }));
    value(await client.logBatch({ runId, metrics, params: [], tags: [] }));
    expect(await history(runId, "big")).toEqual([metrics]);
    const single = { key: "single", value: 1, timestamp: 1, step: 2n ** 53n + 3n };
    value(await client.logMetric({ runId, ...single }));
    expect(value(await client.getRun(runId)).data.metrics).toContainEqual(single);
  });

  test("NaN and infinities, and what a repeat does", async () => {
    const runId = await newRun();
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.1, 5e-324, 1e300];
    const metrics = values.map((v, step) => ({ key: "odd", value: v, timestamp: 1, step }));
    value(await client.logBatch({ runId, metrics, params: [], tags: [] }));
    const stored = (await history(runId, "odd")).flat().map((m) => storedValue(m.value));
    expect(stored).toEqual(values.map(storedValue));
    // A repeated point is one point; a repeated NaN is an error up to MLflow 3.12 at least, and none in 3.17.
    const [nan, ...rest] = metrics;
    expect(kind(await client.logBatch({ runId, metrics: rest, params: [], tags: [] }))).toBe("ok");
    expect(kind(await client.logBatch({ runId, metrics: nan ? [nan] : [], params: [], tags: [] }))).toBe(
      version === "2" ? "duplicate" : "ok",
    );
    expect((await history(runId, "odd")).flat()).toHaveLength(values.length);
  });

  test("histories in pages", async () => {
    const runId = await newRun();
    const metrics = Array.from({ length: 25 }, (_, i) => ({
      key: "m",
      value: i,
      timestamp: 1000 + i,
      step: i,
    }));
    value(await client.logBatch({ runId, metrics: metrics.toReversed(), params: [], tags: [] }));
    const pages = await history(runId, "m", 10);
    expect(pages.flat()).toEqual(metrics);
    expect(pages.map((page) => page.length)).toEqual(version === "2" ? [25] : [10, 10, 5]);
    const page = value(await client.getMetricHistory({ runId, key: "m" }));
    expect(page).toEqual({ items: metrics, nextPageToken: null });
    expect(await history(runId, "unknown")).toEqual([[]]);
  });

  test("limits: keys, lengths and counts", async () => {
    const runId = await newRun();
    const log = (key: string) => client.logMetric({ runId, key, value: 1, timestamp: 1, step: 0 });
    expect(kind(await log("a".repeat(250)))).toBe("ok");
    expect(kind(await log("loss/val_acc-1.0:x y ü"))).toBe("ok");
    for (const key of ["a".repeat(251), "a*b", "a//b", "/a", "a/../b", "", "a\nb"]) {
      expect([key, kind(await log(key))]).toEqual([key, "invalid"]);
    }
    const many = (n: number) => Array.from({ length: n }, (_, i) => ({ key: `k${i}`, value: "v" }));
    const points = Array.from({ length: 1001 }, (_, i) => ({ key: "m", value: i, timestamp: 1, step: i }));
    expect(kind(await client.logBatch({ runId, metrics: points, params: [], tags: [] }))).toBe("invalid");
    expect(kind(await client.logBatch({ runId, metrics: [], params: many(101), tags: [] }))).toBe("invalid");
    expect(kind(await client.logBatch({ runId, metrics: [], params: [], tags: many(101) }))).toBe("invalid");
    expect(kind(await client.logBatch({ runId, metrics: [], params: many(100), tags: many(100) }))).toBe(
      "ok",
    );
    value(await client.logParameter({ runId, key: "long", value: "v".repeat(6001) }));
    const stored = value(await client.getRun(runId)).data.params.find((p) => p.key === "long");
    expect(stored?.value).toHaveLength(6000); // cut silently
  });

  test("every endpoint was called and observed", () => {
    expect(new Set(observed.map((o) => o.endpoint))).toEqual(
      new Set([
        ...["create", "get", "get-by-name", "search", "update", "restore"].map(
          (name) => `experiments/${name}`,
        ),
        ...["create", "get", "search", "update", "delete", "restore"].map((name) => `runs/${name}`),
        ...["log-metric", "log-parameter", "set-tag", "delete-tag", "log-batch"].map(
          (name) => `runs/${name}`,
        ),
        "metrics/get-history",
      ]),
    );
    expect(observed.every((o) => o.status !== null && o.durationMs >= 0)).toBe(true);
  });

  test("a stopped server: reads are transient, writes ambiguous", async () => {
    const runId = await newRun();
    await server.stop();
    expect(kind(await client.getRun(runId))).toBe("transient");
    expect(kind(await client.setTag({ runId, key: "k", value: "v" }))).toBe("ambiguous");
  });
});
