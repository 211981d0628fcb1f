import { beforeEach, expect, test } from "vitest";
import { syncExperiment, syncJob } from "./following.ts";
import { call } from "./gateway-api.ts";
import { send } from "./gateway-models-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** What is edited in MLflow of a logged model that the relay brought there. */

beforeEach(emptied);

const pair = (key: string, value: string) => ({ key, value });

/** A world with a model that MLflow has as it is here; `theirs`: that in MLflow. */
async function delivered() {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const made = await call("logged-models", {
    experiment_id,
    name: "tree",
    params: [pair("depth", "3")],
    tags: [pair("a", "1"), pair("b", "1")],
  });
  const id: string = made.body.model.info.model_id;
  await send("PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  await w.deliver();
  const [theirs] = w.models.byId.values();
  const [theirExperiment = ""] =
    [...w.experiments.byId].find(([, { name }]) => name.startsWith("world")) ?? [];
  if (!theirs) throw new Error("the model is not in MLflow");
  /** The job's counts. */
  const follow = async () => {
    const job = syncJob(theirExperiment);
    const step = await syncExperiment(w.deps, job);
    return step.kind === "done" ? step.counts : step;
  };
  const shown = async () => {
    const { body } = await send("GET", `logged-models/${id}`);
    const { status, tags = [] } = body.model?.info ?? {};
    return { status, tags, params: body.model?.data.params ?? [] };
  };
  return { w, id, theirs, follow, shown };
}

test("tags, the state and parameters come back, and are not sent there again", async () => {
  const { w, theirs, follow, shown } = await delivered();
  expect(await follow()).not.toHaveProperty("edited_models");
  theirs.tags.set("a", "2");
  theirs.tags.delete("b");
  theirs.tags.set("judged", "good");
  theirs.params.set("late", "1");
  theirs.status = "LOGGED_MODEL_UPLOAD_FAILED";
  expect(await follow()).toMatchObject({ models: 1, edited_models: 1 });
  expect(await shown()).toEqual({
    status: "LOGGED_MODEL_UPLOAD_FAILED",
    tags: [pair("a", "2"), pair("judged", "good")],
    params: [pair("depth", "3"), pair("late", "1")],
  });
  const before = w.mlflow.calls.length;
  expect(await w.deliver()).toBe(true);
  expect(w.mlflow.calls.length).toBe(before);
  expect(await follow()).not.toHaveProperty("edited_models");
});

test("what was said here goes on from what was edited there", async () => {
  const { w, id, theirs, follow } = await delivered();
  theirs.tags.set("a", "theirs");
  await follow();
  await send("PATCH", `logged-models/${id}/tags`, { tags: [pair("a", "1")] });
  await send("DELETE", `logged-models/${id}/tags/b`);
  await w.deliver();
  expect(Object.fromEntries(theirs.tags)).toEqual({ a: "1", "relay.model_id": id });
});

test("what was said here and is not there yet stands", async () => {
  const { w, id, theirs, follow, shown } = await delivered();
  theirs.tags.set("a", "theirs");
  theirs.tags.set("c", "theirs");
  await send("PATCH", `logged-models/${id}/tags`, { tags: [pair("a", "ours")] });
  await follow();
  expect((await shown()).tags).toEqual([pair("a", "ours"), pair("b", "1")]);
  await w.deliver();
  await follow();
  expect((await shown()).tags).toEqual([pair("a", "ours"), pair("b", "1"), pair("c", "theirs")]);
});

test("what is said here while MLflow is asked stands", async () => {
  const { w, id, theirs, follow, shown } = await delivered();
  theirs.tags.set("a", "theirs");
  const { searchModels } = w.deps.mlflow;
  w.deps.mlflow.searchModels = async (search) => {
    const found = await searchModels(search);
    await send("PATCH", `logged-models/${id}/tags`, { tags: [pair("a", "ours")] });
    return found;
  };
  await follow();
  expect((await shown()).tags).toEqual([pair("a", "ours"), pair("b", "1")]);
});

test("one that was deleted there is deleted here, and one that MLflow does not know any more is not", async () => {
  const { w, id, theirs, follow, shown } = await delivered();
  const [[theirId = ""] = []] = w.models.byId;
  w.models.byId.delete(theirId);
  await follow();
  expect((await shown()).status).toBe("LOGGED_MODEL_READY");
  w.models.byId.set(theirId, theirs);
  theirs.lifecycle = "deleted";
  await follow();
  expect((await send("GET", `logged-models/${id}`)).status).toBe(404);
  expect((await send("GET", `logged-models/${id}?allow_deleted=true`)).status).toBe(200);
});
