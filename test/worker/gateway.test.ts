import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { foldAll } from "./api.ts";
import { call, dataOf, newRun, read, runOf } from "./gateway-api.ts";

describe("a run of an MLflow client", () => {
  it("is answered in full when it is made, and as it was made when it is read", async () => {
    const { status, body } = await call("runs/create", {
      experiment_id: "0",
      user_id: "ann",
      run_name: "first",
      start_time: 1_234,
      tags: [{ key: "mlflow.source.name", value: "train.py" }],
    });
    expect(status).toBe(200);
    const { info, data } = body.run;
    expect(info).toMatchObject({
      experiment_id: "0",
      user_id: "ann",
      run_name: "first",
      status: "RUNNING",
      start_time: 1_234,
      lifecycle_stage: "active",
    });
    expect(info.run_id).toMatch(/^[0-9a-f]{32}$/);
    expect(info.run_uuid).toBe(info.run_id);
    expect(info.artifact_uri).toBe(`mlflow-artifacts:/0/${info.run_id}/artifacts`);
    expect(data.tags).toContainEqual({ key: "mlflow.runName", value: "first" });
    const shown = { ...body.run, outputs: {} };
    expect(await runOf(info.run_id)).toEqual(shown);
    await foldAll();
    expect(await runOf(info.run_id)).toEqual(shown);
  });

  it("shows each write at once, folded or not", async () => {
    const run_id = await newRun();
    await call("runs/log-parameter", { run_id, key: "lr", value: "0.1" });
    await call("runs/log-metric", { run_id, key: "loss", value: 0.5, timestamp: 10, step: 1 });
    await call("runs/log-batch", {
      run_id,
      metrics: [
        { key: "loss", value: "NaN", timestamp: 11, step: 2 },
        { key: "acc", value: 0.9, timestamp: 11, step: 2 },
      ],
      params: [{ key: "depth", value: "3" }],
      tags: [{ key: "a", value: "1" }],
    });
    await call("runs/set-tag", { run_id, key: "b", value: "2" });
    for (const isFolded of [false, true]) {
      if (isFolded) await foldAll();
      expect(await dataOf(run_id, "params")).toEqual({ lr: "0.1", depth: "3" });
      expect(await dataOf(run_id, "metrics")).toEqual({ loss: "NaN", acc: 0.9 });
      expect(await dataOf(run_id, "tags")).toMatchObject({ a: "1", b: "2" });
    }
  });

  it("takes the last word on a tag, and says so where one that is taken away is not there", async () => {
    const run_id = await newRun();
    for (const value of ["1", "2", "1"]) await call("runs/set-tag", { run_id, key: "a", value });
    expect(await dataOf(run_id, "tags")).toMatchObject({ a: "1" });
    expect((await call("runs/delete-tag", { run_id, key: "a" })).body).toEqual({});
    expect(await dataOf(run_id, "tags")).not.toHaveProperty("a");
    const again = await call("runs/delete-tag", { run_id, key: "a" });
    expect(again.status).toBe(404);
    expect(again.body).toEqual({
      error_code: "RESOURCE_DOES_NOT_EXIST",
      message: `No tag with name: a in run with id ${run_id}`,
    });
  });

  it("keeps of a parameter's values the first, and refuses a batch with another one whole", async () => {
    const run_id = await newRun();
    await call("runs/log-parameter", { run_id, key: "lr", value: "1" });
    expect((await call("runs/log-parameter", { run_id, key: "lr", value: "1" })).status).toBe(200);
    const single = await call("runs/log-parameter", { run_id, key: "lr", value: "1.0" });
    expect(single.status).toBe(400);
    expect(single.body.message).toBe(
      `Changing param values is not allowed. Param with key='lr' was already logged with value='1' for run ID='${run_id}'. Attempted logging new value '1.0'.`,
    );
    for (const isFolded of [false, true]) {
      if (isFolded) await foldAll();
      const batch = await call("runs/log-batch", {
        run_id,
        metrics: [{ key: "loss", value: 1, timestamp: 1, step: 1 }],
        params: [
          { key: "new", value: "x" },
          { key: "lr", value: "2" },
        ],
      });
      expect(batch.status).toBe(400);
      expect(batch.body.message).toBe(
        `Changing param values is not allowed. Params were already logged='[{'key': 'lr', 'old_value': '1', 'new_value': '2'}]' for run ID='${run_id}'.`,
      );
    }
    expect(await dataOf(run_id, "params")).toEqual({ lr: "1" });
    expect(await dataOf(run_id, "metrics")).toEqual({});
  });

  it("lets one of sixteen writers at once have its value, and tells the others", async () => {
    const run_id = await newRun();
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        call("runs/log-parameter", { run_id, key: "lr", value: String(i % 2) }),
      ),
    );
    const { lr } = await dataOf(run_id, "params");
    expect(answers.map(({ status }) => status)).toEqual(
      answers.map((_, i) => (String(i % 2) === lr ? 200 : 400)),
    );
  });

  it("ends, goes on with the end that it had, and is renamed", async () => {
    const run_id = await newRun();
    const ended = await call("runs/update", {
      run_id,
      status: "FINISHED",
      end_time: 9_000,
      run_name: "done",
    });
    expect(ended.body.run_info).toMatchObject({ status: "FINISHED", end_time: 9_000, run_name: "done" });
    await call("runs/update", { run_id, status: "FAILED" });
    await call("runs/update", { run_id, status: "RUNNING" });
    expect((await runOf(run_id)).info).toMatchObject({
      status: "RUNNING",
      end_time: 9_000,
      run_name: "done",
    });
    await call("runs/set-tag", { run_id, key: "mlflow.runName", value: "by tag" });
    expect((await runOf(run_id)).info.run_name).toBe("by tag");
    expect(await dataOf(run_id, "tags")).toMatchObject({ "mlflow.runName": "by tag" });
  });

  it("refuses what is written to it while it is deleted, and goes on when it is restored", async () => {
    const run_id = await newRun();
    await call("runs/delete", { run_id });
    expect((await call("runs/delete", { run_id })).status).toBe(200);
    expect((await runOf(run_id)).info.lifecycle_stage).toBe("deleted");
    const refused = await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1 });
    expect(refused.status).toBe(400);
    expect(refused.body).toEqual({
      error_code: "INVALID_PARAMETER_VALUE",
      message: `The run ${run_id} must be in the 'active' state. Current state is deleted.`,
    });
    await call("runs/restore", { run_id });
    expect((await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1 })).status).toBe(200);
  });

  it("is 503 with a wait of a second where only MLflow could know it, and MLflow is away", async () => {
    const run_id = "f".repeat(32);
    for (const answer of [
      await read("runs/get", { run_id }),
      await call("runs/set-tag", { run_id, key: "a", value: "1" }),
    ]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(answer.body.error_code).toBe("TEMPORARILY_UNAVAILABLE");
    }
  });
});

describe("a run that is gone from the database", () => {
  it("is looked for anew, though this isolate has written to it", async () => {
    const run_id = await newRun();
    const logged = () => call("runs/set-tag", { run_id, key: "a", value: "1" });
    expect((await logged()).status).toBe(200);
    await env.DB.exec("delete from gateway_runs; delete from streams");
    await logged();
    expect((await logged()).body.message).toContain("is not known here");
  });
});

describe("while the database refuses", () => {
  const broken = {
    DB: new Proxy(env.DB, {
      get: (db, name) =>
        name === "prepare" || name === "batch"
          ? () => {
              throw new Error("D1_ERROR: overloaded");
            }
          : Reflect.get(db, name),
    }),
  };

  it("tells a client to try again after a second, whatever it asks", async () => {
    const run_id = await newRun();
    for (const answer of [
      await read("runs/get", { run_id }, { bindings: broken }),
      await call("runs/log-metric", { run_id, key: "a", value: 1, timestamp: 1 }, { bindings: broken }),
      await call("runs/create", { experiment_id: "0" }, { bindings: broken }),
      await call("runs/search", { experiment_ids: ["0"] }, { bindings: broken }),
    ])
      expect([answer.status, answer.headers.get("retry-after"), answer.body.error_code]).toEqual([
        503,
        "1",
        "TEMPORARILY_UNAVAILABLE",
      ]);
  });

  it("tells a client at once of what it will never take", async () => {
    const [run_id, experiment_id] = ["x".repeat(2_100_000), "9".repeat(2_100_000)];
    for (const { status, body } of [
      await call("runs/log-metric", { run_id, key: "a", value: 1, timestamp: 1 }),
      await call("runs/update", { run_id, status: "FINISHED" }),
      await call("experiments/delete", { experiment_id }),
      await call("runs/search", {
        experiment_ids: Array.from({ length: 150_000 }, (_, n) => `9${n}000000000`),
      }),
    ])
      expect([status, body.error_code]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
  });
});

describe("who may ask", () => {
  it("takes a token as bearer or as a password, and refuses others in MLflow's shape", async () => {
    const run_id = await newRun();
    const how = (authorization: string | null) => read("runs/get", { run_id }, { authorization });
    expect((await how(`Basic ${btoa("ann:test-admin-token")}`)).status).toBe(200);
    for (const authorization of [null, "Bearer nobody-knows-this", `Basic ${btoa("test-admin-token:")}`]) {
      const { status, body, headers } = await how(authorization);
      expect(status).toBe(401);
      expect(body.error_code).toBe("UNAUTHENTICATED");
      expect(headers.get("www-authenticate")).toContain("Basic");
    }
  });

  it("answers under both of MLflow's prefixes", async () => {
    const run_id = await newRun();
    expect((await read("runs/get", { run_id }, { prefix: "/ajax-api/2.0/mlflow" })).status).toBe(200);
  });
});

describe("an experiment of an MLflow client", () => {
  const named = (name: string) => read("experiments/get-by-name", { experiment_name: name });

  it("is made under an id that stays, found by it and by its name, and made once", async () => {
    expect((await named("study")).status).toBe(404);
    const { experiment_id } = (
      await call("experiments/create", { name: "study", tags: [{ key: "a", value: "1" }] })
    ).body;
    expect(experiment_id).toMatch(/^9\d{17}$/);
    const { experiment } = (await named("study")).body;
    expect(experiment).toMatchObject({
      experiment_id,
      name: "study",
      lifecycle_stage: "active",
      tags: [{ key: "a", value: "1" }],
      artifact_location: `mlflow-artifacts:/${experiment_id}`,
    });
    expect((await read("experiments/get", { experiment_id })).body.experiment).toEqual(experiment);
    const again = await call("experiments/create", { name: "study" });
    expect([again.status, again.body.error_code]).toEqual([400, "RESOURCE_ALREADY_EXISTS"]);
  });

  it("is renamed, tagged, deleted with its runs and restored with them", async () => {
    const { experiment_id } = (await call("experiments/create", { name: "one" })).body;
    const run_id = await newRun({ experiment_id });
    await call("experiments/update", { experiment_id, new_name: "two" });
    await call("experiments/set-experiment-tag", { experiment_id, key: "k", value: "v" });
    expect((await named("two")).body.experiment.tags).toEqual([{ key: "k", value: "v" }]);
    await call("experiments/delete-experiment-tag", { experiment_id, key: "k" });
    expect((await call("experiments/delete-experiment-tag", { experiment_id, key: "k" })).status).toBe(404);
    await call("experiments/delete", { experiment_id });
    expect((await call("experiments/delete", { experiment_id })).status).toBe(404);
    expect((await runOf(run_id)).info.lifecycle_stage).toBe("deleted");
    expect((await call("runs/create", { experiment_id })).body.message).toBe(
      `The experiment ${experiment_id} must be in the 'active' state. Current state is deleted.`,
    );
    await call("experiments/restore", { experiment_id });
    expect((await runOf(run_id)).info.lifecycle_stage).toBe("active");
  });
});

describe("a metric's history", () => {
  it("is whole at once, in MLflow's order, page by page", async () => {
    const run_id = await newRun();
    const metrics = [
      { key: "m", value: "NaN", timestamp: 5, step: 1 },
      { key: "m", value: -1, timestamp: 5, step: 1 },
      { key: "m", value: 1, timestamp: 5, step: 1 },
      { key: "m", value: "Infinity", timestamp: 4, step: 2 },
      { key: "m", value: 7, timestamp: 6, step: -3 },
      { key: "m", value: 7, timestamp: 6, step: -3 },
    ];
    await call("runs/log-batch", { run_id, metrics });
    const first = (await read("metrics/get-history", { run_id, metric_key: "m", max_results: "3" })).body;
    const second = (
      await read("metrics/get-history", {
        run_id,
        metric_key: "m",
        max_results: "3",
        page_token: first.next_page_token,
      })
    ).body;
    const values = [...first.metrics, ...second.metrics].map(({ value }: { value: unknown }) => value);
    expect(values).toEqual(["Infinity", -1, "NaN", 1, 7]);
    expect(second).not.toHaveProperty("next_page_token");
    const bulk = (
      await read(`metrics/get-history-bulk`, { run_id, metric_key: "m" }, { prefix: "/ajax-api/2.0/mlflow" })
    ).body;
    expect(bulk.metrics).toHaveLength(5);
    expect(bulk.metrics[0]).toEqual({ key: "m", value: "Infinity", timestamp: 4, step: 2, run_id });
  });
});

describe("a search", () => {
  it("finds what was logged a moment ago", async () => {
    const { experiment_id } = (await call("experiments/create", { name: "searched" })).body;
    const run_id = await newRun({ experiment_id });
    await newRun({ experiment_id });
    await call("runs/log-batch", {
      run_id,
      metrics: [{ key: "loss", value: 0.1, timestamp: 1, step: 1 }],
      params: [{ key: "lr", value: "1" }],
    });
    const { runs } = (
      await call("runs/search", {
        experiment_ids: [experiment_id],
        filter: "metrics.loss < 0.2 and params.lr = '1'",
      })
    ).body;
    expect(runs).toEqual([await runOf(run_id)]);
    const { experiments } = (
      await call("experiments/search", { max_results: 10, filter: "name = 'searched'" })
    ).body;
    expect(experiments.map((one: { experiment_id: string }) => one.experiment_id)).toEqual([experiment_id]);
  });
});

describe("a name that JavaScript would lose", () => {
  it("is refused by all that takes names, and loses nothing in silence", async () => {
    const run_id = await newRun();
    const key = "__proto__";
    const answers = [
      await call("runs/log-parameter", { run_id, key, value: "1" }),
      await call("runs/set-tag", { run_id, key, value: "1" }),
      await call("runs/log-metric", { run_id, key, value: 1, timestamp: 1 }),
      await call("runs/create", { experiment_id: "0", tags: [{ key, value: "1" }] }),
      await call("experiments/set-experiment-tag", { experiment_id: "0", key, value: "1" }),
      await call("experiments/create", { name: "proto", tags: [{ key, value: "1" }] }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(400);
      expect(body.message).toContain(key);
    }
    expect((await call("runs/log-parameter", { run_id, key: "constructor", value: "1" })).status).toBe(200);
    expect(await dataOf(run_id, "params")).toEqual({ constructor: "1" });
  });
});
