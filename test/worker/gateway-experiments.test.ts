import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { deliverExperiment } from "../../src/relay/delivery/deliver-experiment.ts";
import { mirrorExperiment } from "../../src/store/mirror/experiments.ts";
import { call, newRun, read, runOf } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";
import { losing } from "./losing.ts";

/** Experiments of MLflow's clients on their way to MLflow, and what is done to them there on its way back. */

beforeEach(emptied);

type World = ReturnType<typeof gatewayWorld>;

const shown = async (experiment_id: string) =>
  (await read("experiments/get", { experiment_id })).body.experiment;
const tagsOf = async (id: string) =>
  Object.fromEntries(
    ((await shown(id)).tags ?? []).map(({ key, value }: { key: string; value: string }) => [key, value]),
  );
const setTag = (experiment_id: string, key: string, value: string) =>
  call("experiments/set-experiment-tag", { experiment_id, key, value });
const log = (run_id: string, step = 1) =>
  call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step });
const lifecycleOf = async (runId: string) => (await runOf(runId)).info.lifecycle_stage;

/** What MLflow has, but for its default. */
const there = (w: World) =>
  [...w.experiments.byId.values()]
    .slice(1)
    .map(({ name, lifecycle, tags }) => ({ name, lifecycle, tags: Object.fromEntries(tags) }));

/** What a pull of MLflow's experiments sees. */
async function pull(w: World, name: string): Promise<void> {
  const [experimentId] = w.experiments.named(name) ?? [""];
  const found = await w.deps.mlflow.getExperiment(experimentId);
  if (!found.ok) throw new Error(found.failure.message);
  await mirrorExperiment(env.DB, found.value, w.deps.now());
}

/** A run that MLflow has, in an experiment of this name. */
async function runIn(w: World, name: string) {
  const experiment_id = await w.experiment(name);
  const run_id = await newRun({ experiment_id });
  await log(run_id);
  expect(await w.deliver()).toBe(true);
  return { experiment_id, run_id };
}

describe("a place of artifacts of its own", () => {
  const placed = async (artifact_location: string) => {
    const experiment_id = (await call("experiments/create", { name: artifact_location, artifact_location }))
      .body.experiment_id;
    const run_id = await newRun({ experiment_id });
    const model = (await call("logged-models", { experiment_id })).body.model.info;
    return [(await runOf(run_id)).info.artifact_uri, model.artifact_uri].map((uri: string) =>
      uri.replace(run_id, "RUN").replace(model.model_id, "MODEL"),
    );
  };

  it.each([
    ["s3://b/x/", "s3://b/x/", ""],
    ["s3://b/x?y=1", "s3://b/x/", "?y=1"],
    ["file:/x/?y=/1/", "file:/x/", "?y=/1/"],
    ["gs://b?y", "gs://b/", "?y"],
    ["/x?y=1", "/x?y=1/", ""],
  ])("that is %s has the files of each run and model for themselves", async (location, before, after) => {
    expect(await placed(location)).toEqual([
      `${before}RUN/artifacts${after}`,
      `${before}models/MODEL/artifacts${after}`,
    ]);
  });
});

describe("an experiment goes to MLflow", () => {
  it("as it is in the end, with a new name, tags set and taken away, deleted and restored", async () => {
    const w = gatewayWorld();
    const experiment_id = await w.experiment("first");
    await setTag(experiment_id, "a", "1");
    expect(await w.deliver()).toBe(true);
    await call("experiments/update", { experiment_id, new_name: "second" });
    await setTag(experiment_id, "b", "2");
    await call("experiments/delete-experiment-tag", { experiment_id, key: "a" });
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toEqual([{ name: "second", lifecycle: "active", tags: { b: "2" } }]);
    await call("experiments/delete", { experiment_id });
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toMatchObject([{ lifecycle: "deleted" }]);
    await call("experiments/restore", { experiment_id });
    await setTag(experiment_id, "c", "3");
    await call("experiments/delete", { experiment_id });
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toEqual([{ name: "second", lifecycle: "deleted", tags: { b: "2", c: "3" } }]);
  });

  const told = {
    "experiments/create": (id: string) =>
      call("experiments/update", { experiment_id: id, new_name: "other" }),
    "experiments/update": (id: string) =>
      call("experiments/update", { experiment_id: id, new_name: "first" }),
    "experiments/set-experiment-tag": (id: string) => setTag(id, "a", "1"),
    "experiments/delete-experiment-tag": (id: string) => setTag(id, "a", "1"),
    "experiments/delete": (id: string) => call("experiments/restore", { experiment_id: id }),
  };
  it.each(Object.entries(told))(
    "though nobody hears the answer to %s, and the client takes it back meanwhile",
    async (endpoint, takeBack) => {
      const w = gatewayWorld();
      const experiment_id = await w.experiment("first");
      if (endpoint !== "experiments/create") {
        await setTag(experiment_id, "a", "1");
        await w.deliver();
      }
      const first = {
        "experiments/update": () => call("experiments/update", { experiment_id, new_name: "second" }),
        "experiments/set-experiment-tag": () => setTag(experiment_id, "a", "2"),
        "experiments/delete-experiment-tag": () =>
          call("experiments/delete-experiment-tag", { experiment_id, key: "a" }),
        "experiments/delete": () => call("experiments/delete", { experiment_id }),
      }[endpoint];
      await first?.();
      w.mlflow.trouble = (called) => (called === endpoint ? "unanswered" : null);
      await deliverExperiment(w.deps, experiment_id);
      w.mlflow.trouble = () => null;
      await takeBack(experiment_id);
      expect(await w.deliver()).toBe(true);
      const isNamed = endpoint === "experiments/create" ? "other" : "first";
      const tags = endpoint === "experiments/create" ? {} : { a: "1" };
      expect(there(w)).toEqual([{ name: isNamed, lifecycle: "active", tags }]);
    },
  );

  it("with the rest of what is wanted, where MLflow refuses its name", async () => {
    const w = gatewayWorld();
    const experiment_id = await w.experiment("mine");
    await w.deliver();
    w.experiments.add("theirs");
    await call("experiments/update", { experiment_id, new_name: "theirs" });
    await setTag(experiment_id, "a", "1");
    expect(await w.deliver()).toBe(false);
    expect(there(w)).toMatchObject([
      { name: "mine", tags: { a: "1" } },
      { name: "theirs", tags: {} },
    ]);
  });

  it("and is nobody else's under the name that it was made with, though it has another by now and was seen there", async () => {
    const w = gatewayWorld();
    const experiment_id = await w.experiment("as it was made");
    let isMade = false;
    w.mlflow.trouble = (called) => {
      if (called === "experiments/create") isMade = true;
      return called === "experiments/create" ? "unanswered" : isMade ? "refused" : null;
    };
    await deliverExperiment(w.deps, experiment_id, { isDue: true });
    expect(there(w)).toMatchObject([{ name: "as it was made" }]);
    w.mlflow.trouble = () => null;
    await call("experiments/update", { experiment_id, new_name: "as it is now" });
    await pull(w, "as it was made");
    const named = await read("experiments/get-by-name", { experiment_name: "as it was made" });
    expect([named.status, named.body.error_code]).toEqual([404, "RESOURCE_DOES_NOT_EXIST"]);
    const { body } = await call("experiments/search", { max_results: 100 });
    const names = body.experiments.map(({ name }: { name: string }) => name);
    expect(names.filter((name: string) => name.startsWith("as it"))).toEqual(["as it is now"]);
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toMatchObject([{ name: "as it is now" }]);
  });

  it("as another than the one that had its name, whichever of them MLflow hears of first", async () => {
    const w = gatewayWorld();
    const first = await w.experiment("taken over");
    expect(await w.deliver()).toBe(true);
    await call("experiments/update", { experiment_id: first, new_name: "set aside" });
    const second = await w.experiment("taken over");
    await deliverExperiment(w.deps, second, { isDue: true });
    expect(await w.deliver()).toBe(true);
    expect(there(w).map(({ name }) => name)).toEqual(["set aside", "taken over"]);
    const { results } = await env.DB.prepare(
      "select mlflow_experiment_id as at from gateway_experiments where id in (?1, ?2)",
    )
      .bind(first, second)
      .all();
    expect(new Set(results.map(({ at }) => at)).size).toBe(2);
  });

  it("by the cron, though its message was lost", async () => {
    const w = gatewayWorld();
    const id = await w.experiment("lost");
    await w.cron();
    expect(w.messages()).toContainEqual({ kind: "experiment", id });
  });

  it("only once MLflow is to be written to", async () => {
    const w = gatewayWorld();
    const id = await w.experiment("kept here");
    for (const off of [{ MLFLOW_ENABLED: "false" }, { MLFLOW_AUTO_SYNC: "false" }])
      await deliverExperiment(w.mlflow.deps(off), id);
    expect(w.mlflow.calls).toEqual([]);
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toMatchObject([{ name: "kept here" }]);
  });
});

describe("an experiment that MLflow has by the name that was made here meanwhile", () => {
  it("is the same one, with MLflow's own tags beside those from here", async () => {
    const w = gatewayWorld();
    w.experiments.add("both", [["theirs", "1"]]);
    const experiment_id = await w.experiment("both");
    await setTag(experiment_id, "ours", "2");
    const run_id = await newRun({ experiment_id });
    await log(run_id);
    await w.turn(run_id);
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toEqual([{ name: "both", lifecycle: "active", tags: { theirs: "1", ours: "2" } }]);
    expect(await tagsOf(experiment_id)).toEqual({ theirs: "1", ours: "2" });
    expect(w.runs().get(run_id)).toHaveLength(1);
  });

  it.each([
    ["restored, by that policy", "restore", "active", 1],
    ["deleted here too, by the policy to leave it so, until it is restored", "block", "deleted", 0],
  ] as const)("is %s, where it is deleted there", async (_, policy, lifecycle, runs) => {
    const w = gatewayWorld({ RELAY_DELETED_EXPERIMENT: policy });
    w.experiments.setLifecycle(w.experiments.add("gone"), "deleted");
    const experiment_id = await w.experiment("gone");
    const run_id = await newRun({ experiment_id });
    await log(run_id);
    await w.deliver();
    expect(there(w)).toMatchObject([{ name: "gone", lifecycle }]);
    expect((await shown(experiment_id)).lifecycle_stage).toBe(lifecycle);
    expect(await lifecycleOf(run_id)).toBe(lifecycle);
    expect(w.runs().get(run_id)?.length ?? 0).toBe(runs);
    if (policy === "restore") return;
    await call("experiments/restore", { experiment_id });
    expect(await w.deliver()).toBe(true);
    expect(w.runs().get(run_id)?.[0]?.metrics).toHaveLength(1);
  });

  it("is shared by two that were made here, both of which go on", async () => {
    const w = gatewayWorld();
    const first = await w.experiment("one");
    await w.deliver();
    const [id] = w.experiments.named("one") ?? [""];
    const there = w.experiments.byId.get(id);
    if (there) there.name = "two";
    const second = await w.experiment("two");
    const runs = [await newRun({ experiment_id: first }), await newRun({ experiment_id: second })];
    for (const run of runs) await log(run);
    expect(await w.deliver()).toBe(true);
    expect([...w.mlflow.runs.values()].map(({ experimentId }) => experimentId)).toEqual([id, id]);
    for (const [i, run] of runs.entries())
      expect((await runOf(run)).info.experiment_id).toBe([first, second][i]);
    const found = (await call("runs/search", { experiment_ids: [first, second] })).body.runs ?? [];
    expect(found.map(({ info }: { info: { run_id: string } }) => info.run_id).toSorted()).toEqual(
      runs.toSorted(),
    );
  });
});

describe("what is done to an experiment in MLflow", () => {
  it("is seen here: its name, its tags, and that it was deleted and restored with its runs", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "seen");
    const [id, one] = w.experiments.named("seen") ?? ["", null];
    if (one) one.name = "seen anew";
    one?.tags.set("k", "v");
    await pull(w, "seen anew");
    expect(await shown(experiment_id)).toMatchObject({ name: "seen anew" });
    expect(await tagsOf(experiment_id)).toEqual({ k: "v" });
    w.experiments.setLifecycle(id, "deleted");
    await pull(w, "seen anew");
    expect(await lifecycleOf(run_id)).toBe("deleted");
    expect((await log(run_id)).status).toBe(400);
    expect((await call("runs/create", { experiment_id })).status).toBe(400);
    w.experiments.setLifecycle(id, "active");
    await pull(w, "seen anew");
    expect((await log(run_id)).status).toBe(200);
  });

  it("stands beside what was said here of something else at the same time", async () => {
    const w = gatewayWorld();
    const { experiment_id } = await runIn(w, "both sides");
    await setTag(experiment_id, "ours", "1");
    const [, one] = w.experiments.named("both sides") ?? [];
    if (one) one.name = "theirs";
    one?.tags.set("theirs", "2");
    await pull(w, "theirs");
    expect(await w.deliver()).toBe(true);
    expect(await shown(experiment_id)).toMatchObject({ name: "theirs" });
    expect(there(w)).toEqual([{ name: "theirs", lifecycle: "active", tags: { ours: "1", theirs: "2" } }]);
    expect(await tagsOf(experiment_id)).toEqual({ ours: "1", theirs: "2" });
  });

  it("is found out by what is told to it: one that was deleted there is deleted here, until it is restored", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "unseen");
    const [id] = w.experiments.named("unseen") ?? [""];
    w.experiments.setLifecycle(id, "deleted");
    await setTag(experiment_id, "a", "1");
    expect(await w.deliver()).toBe(true);
    expect((await shown(experiment_id)).lifecycle_stage).toBe("deleted");
    expect(await lifecycleOf(run_id)).toBe("deleted");
    await call("experiments/restore", { experiment_id });
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toEqual([{ name: "unseen", lifecycle: "active", tags: { a: "1" } }]);
    expect(await lifecycleOf(run_id)).toBe("active");
  });
});

describe("an experiment that is deleted here", () => {
  it("is deleted in MLflow once all is there that was said of its runs", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "ends");
    const late = await newRun({ experiment_id });
    await log(late);
    await log(run_id, 2);
    await call("experiments/delete", { experiment_id });
    await deliverExperiment(w.deps, experiment_id);
    expect(there(w)).toMatchObject([{ lifecycle: "active" }]);
    expect(await w.deliver()).toBe(true);
    expect(there(w)).toMatchObject([{ lifecycle: "deleted" }]);
    expect(w.runs().get(run_id)?.[0]?.metrics).toHaveLength(2);
    expect(w.runs().get(late)?.[0]?.metrics).toHaveLength(1);
    expect([await lifecycleOf(run_id), await lifecycleOf(late)]).toEqual(["deleted", "deleted"]);
  });
});

describe("a run of an experiment that goes to and fro", () => {
  const there = (w: World, run_id: string) => w.runs().get(run_id)?.[0];

  it("stays, where it was restored before MLflow heard that its experiment was deleted", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "stays");
    const other = await newRun({ experiment_id });
    await log(other);
    await call("experiments/delete", { experiment_id });
    await call("runs/restore", { run_id });
    await log(run_id, 2);
    expect(await w.deliver()).toBe(true);
    expect((await log(run_id, 3)).status).toBe(200);
    expect(await w.deliver()).toBe(true);
    expect((await shown(experiment_id)).lifecycle_stage).toBe("deleted");
    expect([await lifecycleOf(run_id), await lifecycleOf(other)]).toEqual(["active", "deleted"]);
    expect([there(w, run_id)?.lifecycle, there(w, other)?.lifecycle]).toEqual(["active", "deleted"]);
    expect(there(w, run_id)?.metrics.map(({ step }) => step)).toEqual([1, 2, 3]);
  });

  it("stays, where it was restored while its experiment was just being deleted in MLflow", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "just then");
    await call("experiments/delete", { experiment_id });
    const by = {
      ...w.deps,
      writes: {
        ...w.deps.writes,
        deleteExperiment: async (id: string) => {
          await call("runs/restore", { run_id });
          await w.turn(run_id);
          const done = await w.deps.writes.deleteExperiment(id);
          await log(run_id, 2);
          await w.turn(run_id);
          return done;
        },
      },
    };
    await deliverExperiment(by, experiment_id);
    expect(await w.deliver()).toBe(true);
    expect(await lifecycleOf(run_id)).toBe("active");
    expect(there(w, run_id)?.lifecycle).toBe("active");
    expect(there(w, run_id)?.metrics.map(({ step }) => step)).toEqual([1, 2]);
  });

  it("is not restored by itself, where its experiment was restored while it was just being deleted", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "both back");
    await call("experiments/delete", { experiment_id });
    const deleteExperiment = async (id: string) => {
      await call("experiments/restore", { experiment_id });
      return w.deps.writes.deleteExperiment(id);
    };
    await deliverExperiment({ ...w.deps, writes: { ...w.deps.writes, deleteExperiment } }, experiment_id);
    expect(await w.deliver()).toBe(true);
    expect([await lifecycleOf(run_id), there(w, run_id)?.lifecycle]).toEqual(["active", "active"]);
    expect(w.mlflow.calls).not.toContain("runs/restore");
  });

  it("is gone, where it was deleted before MLflow heard that its experiment was restored", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "goes");
    await call("experiments/delete", { experiment_id });
    expect(await w.deliver()).toBe(true);
    await call("experiments/restore", { experiment_id });
    await call("runs/delete", { run_id });
    await w.turn(run_id);
    expect(await w.deliver()).toBe(true);
    expect(await lifecycleOf(run_id)).toBe("deleted");
    expect(there(w, run_id)?.lifecycle).toBe("deleted");
  });
});

describe("a run that was deleted in MLflow", () => {
  it("stands still with what was said of it, is refused more, and goes on once it is restored through the gateway", async () => {
    const w = gatewayWorld();
    const { run_id } = await runIn(w, "deleted there");
    const [run] = w.mlflow.runs.values();
    if (run) run.lifecycle = "deleted";
    await log(run_id, 2);
    await w.deliver();
    expect(await lifecycleOf(run_id)).toBe("deleted");
    expect((await log(run_id, 3)).status).toBe(400);
    await call("runs/restore", { run_id });
    await log(run_id, 3);
    expect(await w.deliver()).toBe(true);
    expect(run?.lifecycle).toBe("active");
    expect(run?.metrics.map(({ step }) => step)).toEqual([1, 2, 3]);
  });

  it("is restored by a client though nobody saw that it was deleted", async () => {
    const w = gatewayWorld();
    const { run_id } = await runIn(w, "unseen there");
    const [run] = w.mlflow.runs.values();
    if (run) run.lifecycle = "deleted";
    await call("runs/restore", { run_id });
    expect(await w.deliver()).toBe(true);
    expect(run?.lifecycle).toBe("active");
  });

  it.each([
    ["deleted and restored", ["delete", "restore"], "active"],
    ["restored and deleted", ["delete", "restore", "delete"], "deleted"],
  ] as const)("is as its client left it, %s while it is on its way", async (_, words, lifecycle) => {
    const w = gatewayWorld();
    const { run_id } = await runIn(w, `to and fro ${words.length}`);
    const [run] = w.mlflow.runs.values();
    const [first, ...others] = words;
    await call(`runs/${first}`, { run_id });
    const later = async () => {
      for (const word of others) await call(`runs/${word}`, { run_id });
    };
    let isFirst = true;
    const by = {
      ...w.deps,
      direct: {
        ...w.deps.direct,
        deleteRun: async (id: string) => {
          if (isFirst) await later();
          isFirst = false;
          return w.deps.direct.deleteRun(id);
        },
      },
    };
    expect(await w.deliver((turn) => turn(by))).toBe(true);
    expect(run?.lifecycle).toBe(lifecycle);
    expect(await lifecycleOf(run_id)).toBe(lifecycle);
  });
});

it.each(["before", "after"] as const)(
  "an experiment whose making D1 does not answer is made once, lost %s it took effect",
  async (when) => {
    const { db, losses } = losing({ isLost: (n) => n === 0, when });
    const { status, body } = await call("experiments/create", { name: "unheard" }, { bindings: { DB: db } });
    expect([status, losses()]).toEqual([200, 1]);
    const named = await read("experiments/get-by-name", { experiment_name: "unheard" });
    expect(named.body.experiment.experiment_id).toBe(body.experiment_id);
    const other = await call("experiments/create", { name: "unheard" });
    expect(other.body.error_code).toBe("RESOURCE_ALREADY_EXISTS");
  },
);

it.each([
  ["deleted", "experiments/delete"],
  ["active", "experiments/restore"],
])("an experiment is %s though the database's answer to that is lost", async (lifecycle, endpoint) => {
  const w = gatewayWorld();
  const { experiment_id, run_id } = await runIn(w, `lost ${lifecycle}`);
  if (lifecycle === "active") await call("experiments/delete", { experiment_id });
  const { db, losses } = losing({
    isLost: (n) => n === 0,
    when: "after",
    among: /update gateway_experiments set lifecycle/,
  });
  const { status, body } = await call(endpoint, { experiment_id }, { bindings: { DB: db } });
  expect([losses(), status, body]).toEqual([1, 200, {}]);
  expect((await shown(experiment_id)).lifecycle_stage).toBe(lifecycle);
  expect(await lifecycleOf(run_id)).toBe(lifecycle);
  expect((await call(endpoint, { experiment_id })).status).toBe(404);
});

it("a tag is taken away though the database's answer to that is lost", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment("lost tag");
  await setTag(experiment_id, "a", "1");
  const { db, losses } = losing({
    isLost: (n) => n === 0,
    when: "after",
    among: /update gateway_experiments set tags/,
  });
  const untag = { experiment_id, key: "a" };
  const how = { bindings: { DB: db } };
  const { status, body } = await call("experiments/delete-experiment-tag", untag, how);
  expect([losses(), status, body]).toEqual([1, 200, {}]);
  expect(await tagsOf(experiment_id)).toEqual({});
  expect((await call("experiments/delete-experiment-tag", untag)).status).toBe(404);
});

describe("a run that is deleted here once more", () => {
  it("is deleted in MLflow too, where somebody restored it there and no pull has seen that", async () => {
    const w = gatewayWorld();
    const { run_id } = await runIn(w, "deleted again");
    const [there] = w.mlflow.runs.values();
    if (!there) throw new Error("the run is not in MLflow");
    await call("runs/delete", { run_id });
    expect([await w.deliver(), there.lifecycle]).toEqual([true, "deleted"]);
    there.lifecycle = "active";
    expect((await call("runs/delete", { run_id })).status).toBe(200);
    expect([await w.deliver(), there.lifecycle]).toEqual([true, "deleted"]);
  });

  it("stays so in an experiment that is deleted", async () => {
    const w = gatewayWorld();
    const { experiment_id, run_id } = await runIn(w, "deleted with it");
    await call("experiments/delete", { experiment_id });
    expect(await w.deliver()).toBe(true);
    expect((await call("runs/delete", { run_id })).status).toBe(200);
    expect(await w.deliver()).toBe(true);
    expect([await lifecycleOf(run_id), [...w.mlflow.runs.values()][0]?.lifecycle]).toEqual([
      "deleted",
      "deleted",
    ]);
    expect(there(w)).toMatchObject([{ lifecycle: "deleted" }]);
  });
});
