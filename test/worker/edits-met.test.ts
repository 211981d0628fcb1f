import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { DESCRIPTION_TAG } from "../../src/domain/merge.ts";
import type { Facts } from "../../src/domain/types.ts";
import { planBackfill } from "../../src/relay/repair/backfill.ts";
import { sendAgain } from "../../src/relay/repair/send-again.ts";
import { consumePokes, mergeWorld } from "./merge-world.ts";

type Trial = Awaited<ReturnType<ReturnType<typeof mergeWorld>["trial"]>>;

/** Edits made in MLflow that no pull has seen, when the trainer's own word is sent. */
describe("an edit in MLflow that the trainer's word meets", () => {
  const cases: [string, (run: Trial["run"]) => void, Facts, object][] = [
    [
      "its status, by an end",
      (run) => {
        run.status = "KILLED";
      },
      { ends: "succeeded" },
      { kind: "status", field: "status", base: "RUNNING", relay: "FINISHED", mlflow: "KILLED" },
    ],
    [
      "a tag that is new on both sides",
      (run) => void run.tags.set("new", "theirs"),
      { tags: { new: "ours" } },
      { kind: "tag", field: "new", base: null, relay: "ours", mlflow: "theirs" },
    ],
    [
      "a tag that both changed",
      (run) => void run.tags.set("k", "theirs"),
      { tags: { k: "ours" } },
      { kind: "tag", field: "k", base: "A", relay: "ours", mlflow: "theirs" },
    ],
    [
      "a tag that was changed here and taken away there",
      (run) => void run.tags.delete("k"),
      { tags: { k: "ours" } },
      { kind: "tag", field: "k", base: "A", relay: "ours", mlflow: null },
    ],
    [
      "a tag that was taken away here and changed there",
      (run) => void run.tags.set("k", "theirs"),
      { untags: ["k"] },
      { kind: "tag", field: "k", base: "A", relay: null, mlflow: "theirs" },
    ],
    [
      "a description that is new on both sides",
      (run) => void run.tags.set(DESCRIPTION_TAG, "theirs"),
      { tags: { [DESCRIPTION_TAG]: "ours" } },
      { kind: "description", field: DESCRIPTION_TAG, base: null, relay: "ours", mlflow: "theirs" },
    ],
    [
      "its name",
      (run) => {
        run.name = "theirs";
      },
      { fields: { run_name: "ours" } },
      { kind: "name", field: "run_name", base: expect.any(String), relay: "ours", mlflow: "theirs" },
    ],
  ];

  test.each(cases)("is recorded with both values, and gives way: %s", async (_, edit, facts, conflict) => {
    const t = await mergeWorld().trial({ k: "A" });
    edit(t.run);
    await t.say(facts);
    await t.deliver();
    expect(await t.conflicts()).toEqual([{ ...conflict, decision: "relay" }]);
    const { tags, untags, fields, ends } = facts;
    expect(Object.fromEntries(t.run.tags)).toMatchObject(tags ?? {});
    for (const key of untags ?? []) expect(t.run.tags.has(key)).toBe(false);
    expect(t.run.name).toBe(fields?.run_name ?? t.run.name);
    expect(t.run.status).toBe(ends ? "FINISHED" : "RUNNING");
    // Nothing is left to be said twice.
    expect(await t.pull()).toEqual({ kind: "same" });
  });

  test.each(cases)("is no conflict where only one side changed it: %s", async (_, edit, facts) => {
    const [theirs, ours] = await Promise.all([
      mergeWorld().trial({ k: "A" }),
      mergeWorld().trial({ k: "A" }),
    ]);
    edit(theirs.run);
    await theirs.say({ tags: { other: "word" } });
    await theirs.deliver();
    await ours.say(facts);
    await ours.deliver();
    expect([await theirs.conflicts(), await ours.conflicts()]).toEqual([[], []]);
  });

  test("is recorded again when it meets another word, and the row shows the latest", async () => {
    const t = await mergeWorld().trial({ k: "A" });
    for (const ours of ["B", "C"]) {
      t.run.tags.set("k", "theirs");
      await t.say({ tags: { k: ours } });
      await t.deliver();
    }
    expect(await t.conflicts()).toMatchObject([{ base: "B", relay: "C", mlflow: "theirs" }]);
  });

  test("stands, though the tag is sent again by a back-fill that was planned before it", async () => {
    const world = mergeWorld();
    const t = await world.trial({ k: "A" });
    const everything = { fromTime: null, toTime: null, fromStep: null, toStep: null, onlyMissing: false };
    const planned = await planBackfill(world.deps, t.id, everything, null);
    if (planned.kind !== "plan") throw new Error(planned.kind);
    expect(await sendAgain(world.deps, t.id, planned.plan)).toBe(true);
    t.run.tags.set("k", "theirs");
    await t.deliver();
    expect([t.run.tags.get("k"), await t.tags()]).toEqual(["theirs", { k: "theirs" }]);
  });

  test("is looked for once for all that end at about the same time", async () => {
    const world = mergeWorld({ RELAY_MAX_CONCURRENT_CALLS: "6" });
    const trials = [];
    for (let n = 0; n < 6; n++) trials.push(await world.trial());
    for (const { run, say } of trials) {
      run.status = "KILLED";
      await say({ ends: "failed" });
    }
    world.mlflow.calls.length = 0;
    await consumePokes(
      world.deps,
      trials.map(({ id }) => id),
    );
    const called = Map.groupBy(world.mlflow.calls, (call) => call);
    expect([...called].map(([call, all]) => [call, all.length]).sort()).toEqual([
      ["runs/search", 1],
      ["runs/update", 6],
    ]);
    for (const { run, conflicts } of trials)
      expect([run.status, await conflicts()]).toMatchObject(["FAILED", [{ mlflow: "KILLED" }]]);
  });

  test("is found by a call of its own where the search does not show the run, or fails", async () => {
    const world = mergeWorld();
    const t = await world.trial();
    world.mlflow.trouble = (endpoint) => (endpoint === "runs/search" ? "refused" : null);
    t.run.status = "KILLED";
    await t.say({ ends: "failed" });
    await t.deliver();
    expect([t.run.status, await t.conflicts()]).toMatchObject(["FAILED", [{ mlflow: "KILLED" }]]);
  });

  test("costs no look where nothing of it can be overwritten", async () => {
    const world = mergeWorld();
    const t = await world.trial({ k: "A" });
    world.mlflow.calls.length = 0;
    await t.say({ params: { lr: "0.1" } });
    await t.deliver();
    expect(world.mlflow.calls).toEqual(["runs/log-batch"]);
  });
});

describe("edits that are taken together", () => {
  test("stand until the trainer's next word on each, though another was said by a clock that is ahead", async () => {
    const t = await mergeWorld().trial({ k: "A" });
    await t.say({ tags: { ahead: "A" }, fields: { run_name: "A" } }, 3_600_000);
    await t.deliver();
    for (const key of ["k", "ahead"]) t.run.tags.set(key, "theirs");
    t.run.name = "theirs";
    expect(await t.pull()).toEqual({ kind: "merged", accepted: 3, conflicts: 0 });
    await t.say({ tags: { k: "B" } });
    await t.deliver();
    expect([Object.fromEntries(t.run.tags), t.run.name]).toMatchObject([
      { k: "B", ahead: "theirs" },
      "theirs",
    ]);
  });
});

describe("an edit in MLflow of why a trial failed", () => {
  const failed = (text: string): Facts => ({
    ends: "failed",
    fields: { error_message: text },
    tags: { error_message: text },
  });

  test.each([["theirs"], [null]])(
    "flows back, until the trainer gives another reason: %s",
    async (edited) => {
      const t = await mergeWorld().trial();
      await t.say(failed("no memory"));
      await t.deliver();
      if (edited === null) t.run.tags.delete("error_message");
      else t.run.tags.set("error_message", edited);
      expect(await t.pull()).toEqual({ kind: "merged", accepted: 1, conflicts: 0 });
      await t.say({ tags: { other: "word" } });
      await t.deliver();
      expect([t.run.tags.get("error_message") ?? null, await t.conflicts()]).toEqual([edited, []]);
      await t.say(failed("no disk"));
      await t.deliver();
      expect([t.run.tags.get("error_message"), await t.conflicts()]).toEqual(["no disk", []]);
    },
  );

  test("is gone from a trial that goes on", async () => {
    const t = await mergeWorld().trial();
    await t.say(failed("no memory"));
    await t.deliver();
    t.run.tags.set("error_message", "theirs");
    await t.pull();
    await t.say({ resumes: true });
    await t.deliver();
    expect([t.run.status, t.run.tags.has("error_message")]).toEqual(["RUNNING", false]);
    expect(await t.pull()).toEqual({ kind: "same" });
  });
});

describe("a conflict that stands", () => {
  test("is counted once, however often it is met", async () => {
    const t = await mergeWorld().trial();
    await t.say({ params: { lr: "0.1" } });
    await t.deliver();
    t.run.params.set("lr", "0.2");
    expect(await t.pull()).toEqual({ kind: "merged", accepted: 0, conflicts: 1 });
    expect(await t.pull()).toEqual({ kind: "same" });
  });
});

describe("a tag that was taken away here", () => {
  test("is taken away in MLflow, and may be set again", async () => {
    const t = await mergeWorld().trial({ k: "A", other: "stays" });
    await t.say({ untags: ["k"] });
    await t.deliver();
    expect([t.run.tags.has("k"), t.run.tags.get("other"), await t.tags()]).toEqual([
      false,
      "stays",
      { other: "stays" },
    ]);
    await t.say({ tags: { k: "A" } });
    await t.deliver();
    expect([t.run.tags.get("k"), await t.conflicts()]).toEqual(["A", []]);
  });

  test("leaves what was set again before it was delivered", async () => {
    const world = mergeWorld();
    const t = await world.trial({ k: "A" });
    await t.say({ untags: ["k"] });
    await t.say({ tags: { k: "A" } });
    await t.deliver();
    expect([t.run.tags.get("k"), await t.tags()]).toEqual(["A", { k: "A" }]);
    expect(world.mlflow.calls).not.toContain("runs/delete-tag");
  });

  test("is done where MLflow has it no more", async () => {
    const world = mergeWorld();
    const t = await world.trial({ k: "A" });
    t.run.tags.delete("k");
    await t.say({ untags: ["k"] });
    await t.deliver();
    world.mlflow.calls.length = 0;
    await t.say({ params: { lr: "0.1" } });
    await t.deliver();
    expect([world.mlflow.calls, await t.conflicts()]).toEqual([["runs/log-batch"], []]);
  });

  test.each(["refused", "unanswered"] as const)("is taken away though the call was %s", async (trouble) => {
    const world = mergeWorld();
    const t = await world.trial({ k: "A" });
    world.mlflow.trouble = (endpoint) => (endpoint === "runs/delete-tag" ? trouble : null);
    await t.say({ untags: ["k"] });
    await t.deliver();
    world.mlflow.trouble = () => null;
    // Longer than a call without an answer may still land.
    await new Promise((done) => setTimeout(done, 400));
    await t.deliver();
    expect([t.run.tags.has("k"), await t.tags(), await t.conflicts()]).toEqual([false, {}, []]);
    expect(await t.pull()).toEqual({ kind: "same" });
  });

  test("and is set again before it is known that MLflow has done it is nobody's edit", async () => {
    const world = mergeWorld({ RELAY_MERGE_TAGS: "mlflow" });
    const t = await world.trial({ k: "A" });
    world.mlflow.trouble = (endpoint) => (endpoint === "runs/delete-tag" ? "unanswered" : null);
    await t.say({ untags: ["k"] });
    await t.deliver();
    expect(t.run.tags.has("k")).toBe(false);
    world.mlflow.trouble = () => null;
    await t.say({ tags: { k: "B" } });
    await new Promise((done) => setTimeout(done, 400));
    await t.deliver();
    expect([t.run.tags.get("k"), await t.tags(), await t.conflicts()]).toEqual(["B", { k: "B" }, []]);
    expect(await t.pull()).toEqual({ kind: "same" });
  });

  test("and was taken away in MLflow flows back, and is set again by the trainer's next word", async () => {
    const t = await mergeWorld().trial({ k: "A" });
    t.run.tags.delete("k");
    expect(await t.pull()).toEqual({ kind: "merged", accepted: 1, conflicts: 0 });
    expect(await t.tags()).toEqual({});
    await t.say({ tags: { k: "A" } });
    await t.deliver();
    expect([t.run.tags.get("k"), await t.conflicts()]).toEqual(["A", []]);
  });
});

test.each(["params", "tags"] as const)(
  "a record without room for more %s takes what MLflow has once, and not on every pull",
  async (kind) => {
    const t = await mergeWorld().trial();
    const full = `update trials set core = json_set(core, '$.room.${kind}', 7999999) where id = ?1`;
    await env.DB.prepare(full).bind(t.id).run();
    t.run[kind].set("theirs", "1");
    expect(await t.pull()).toMatchObject({ kind: "merged", accepted: 1 });
    expect(await t.pull()).toEqual({ kind: "same" });
  },
);
