import { beforeEach, describe, expect, it } from "vitest";
import { deliverExperiment } from "../../src/relay/delivery/deliver-experiment.ts";
import { call, newRun } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** Names of experiments that clients give up and take: MLflow ends with them as if it had been told at once. */

beforeEach(emptied);

type World = ReturnType<typeof gatewayWorld>;

const rename = async (experiment_id: string, new_name: string) =>
  (await call("experiments/update", { experiment_id, new_name })).status;
const remove = async (experiment_id: string) => (await call("experiments/delete", { experiment_id })).status;
const create = async (name: string) => {
  const { status, body } = await call("experiments/create", { name });
  return { status, code: body.error_code };
};

/** The names in MLflow of experiments, each told by the run that was logged in it. */
async function namesThere(w: World, runs: readonly string[]): Promise<(string | undefined)[]> {
  expect(await w.deliver()).toBe(true);
  return runs.map((run) => {
    const [there] = w.runs().get(run) ?? [];
    return w.experiments.byId.get(there?.experimentId ?? "")?.name;
  });
}

async function runIn(experiment_id: string): Promise<string> {
  const run_id = await newRun({ experiment_id });
  await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1 });
  return run_id;
}

async function two(w: World): Promise<{ ids: [string, string]; runs: string[] }> {
  const ids: [string, string] = [await w.experiment("one"), await w.experiment("two")];
  const runs = [await runIn(ids[0]), await runIn(ids[1])];
  expect(await namesThere(w, runs)).toEqual(["one", "two"]);
  return { ids, runs };
}

describe("two experiments", () => {
  it.each([["the first"], ["the second"]])(
    "change names with each other, %s of them told first",
    async (first) => {
      const w = gatewayWorld();
      const { ids, runs } = await two(w);
      const [one, other] = ids;
      expect(await rename(one, "for a moment")).toBe(200);
      expect(await rename(other, "one")).toBe(200);
      expect(await rename(one, "two")).toBe(200);
      await deliverExperiment(w.deps, first === "the first" ? one : other, { isDue: true });
      expect(await namesThere(w, runs)).toEqual(["two", "one"]);
      const names = [...w.experiments.byId.values()].map(({ name }) => name);
      expect(names.toSorted()).toEqual(["Default", "one", "two"]);
    },
  );

  it("change names though the answers to some of it are lost", async () => {
    const w = gatewayWorld();
    const { ids, runs } = await two(w);
    await rename(ids[0], "for a moment");
    await rename(ids[1], "one");
    await rename(ids[0], "two");
    let calls = 0;
    w.mlflow.trouble = (endpoint) =>
      endpoint === "experiments/update" && calls++ % 2 === 0 ? "unanswered" : null;
    expect(await namesThere(w, runs)).toEqual(["two", "one"]);
  });

  it("take each the name that the one before gives up, whichever is told first", async () => {
    const w = gatewayWorld();
    const { ids, runs } = await two(w);
    const third = await w.experiment("three");
    runs.push(await runIn(third));
    expect(await namesThere(w, runs)).toEqual(["one", "two", "three"]);
    expect(await rename(ids[0], "zero")).toBe(200);
    expect(await rename(ids[1], "one")).toBe(200);
    expect(await rename(third, "two")).toBe(200);
    for (const id of [third, ids[1], ids[0]]) await deliverExperiment(w.deps, id, { isDue: true });
    expect(await namesThere(w, runs)).toEqual(["zero", "one", "two"]);
  });
});

describe("a name that was given up by a rename is free, as in MLflow", () => {
  it("and what is made under it is another experiment, there too", async () => {
    const w = gatewayWorld();
    const { ids, runs } = await two(w);
    expect(await rename(ids[0], "was one")).toBe(200);
    const again = await w.experiment("one");
    runs.push(await runIn(again));
    for (const id of [again, ids[0]]) await deliverExperiment(w.deps, id, { isDue: true });
    expect(await namesThere(w, runs)).toEqual(["was one", "two", "one"]);
  });

  it("but for the one that was renamed, once another has it", async () => {
    const w = gatewayWorld();
    const { ids } = await two(w);
    await rename(ids[0], "was one");
    await w.experiment("one");
    expect(await rename(ids[0], "one")).toBe(400);
  });
});

describe("a name of a deleted experiment stays taken, as in MLflow", () => {
  it("before and after MLflow hears of it", async () => {
    const w = gatewayWorld();
    const { ids } = await two(w);
    const never = await w.experiment("never there");
    for (const id of [ids[0], never]) expect(await remove(id)).toBe(200);
    const refused = { status: 400, code: "RESOURCE_ALREADY_EXISTS" };
    const all = async () => [await create("one"), await create("never there"), await rename(ids[1], "one")];
    expect(await all()).toEqual([refused, refused, 400]);
    expect(await w.deliver()).toBe(true);
    expect(await all()).toEqual([refused, refused, 400]);
    const there = [...w.experiments.byId.values()].map(({ name, lifecycle }) => `${name} ${lifecycle}`);
    expect(there.toSorted()).toEqual(["Default active", "never there deleted", "one deleted", "two active"]);
  });
});

it("a name that an experiment may have in MLflow, for the answer was lost, is not another's", async () => {
  const w = gatewayWorld();
  const { ids, runs } = await two(w);
  await rename(ids[0], "for a moment");
  w.mlflow.trouble = (endpoint) => (endpoint === "experiments/update" ? "unanswered" : null);
  await deliverExperiment(w.deps, ids[0], { isDue: true });
  w.mlflow.trouble = () => null;
  await rename(ids[0], "zero");
  const third = await w.experiment("for a moment");
  runs.push(await runIn(third));
  await deliverExperiment(w.deps, third, { isDue: true });
  expect(await namesThere(w, runs)).toEqual(["zero", "two", "for a moment"]);
});
