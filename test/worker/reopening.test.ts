import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { Facts } from "../../src/domain/types.ts";
import { mergeWorld } from "./merge-world.ts";

/** Longer than a call without an answer may still land, and than any backoff here. */
const settled = () => scheduler.wait(400);

describe("a trial closed as quiet that speaks again", () => {
  test.each([
    ["runs/update", "refused"],
    ["runs/update", "unanswered"],
    ["runs/update", "late"],
    ["runs/delete-tag", "refused"],
    ["runs/delete-tag", "unanswered"],
    ["runs/delete-tag", "late"],
  ] as const)("is RUNNING in MLflow again, though %s was %s at first", async (endpoint, trouble) => {
    const { mlflow, trial } = mergeWorld();
    const t = await trial();
    const lastSeq = env.DB.prepare("select last_seq from streams where id = ?1").bind(t.id);
    await t.say({
      quiet: { heardAt: Date.now(), as: "failed" },
      over: (await lastSeq.first<number>("last_seq")) ?? 0,
    });
    await t.deliver();
    expect(t.run.status).toBe("FAILED");
    mlflow.trouble = (called) => (called === endpoint ? trouble : null);
    await t.say({ tags: { back: "again" } });
    await t.deliver();
    mlflow.trouble = () => null;
    for (let pass = 0; pass < 2; pass++) {
      await settled();
      await t.deliver();
    }
    expect([t.run.status, t.run.tags.has("relay.lost_contact")]).toEqual(["RUNNING", false]);
    expect([await t.pull(), await t.conflicts()]).toEqual([{ kind: "same" }, []]);
  });
});

describe("a trial that runs in an adopted run which had ended", () => {
  const adopted = async () => {
    const { mlflow, trial } = mergeWorld();
    const named: Facts = { fields: { mlflow_run_id: mlflow.add("FINISHED") } };
    const t = await trial({}, named);
    expect(t.run.status).toBe("FINISHED");
    return t;
  };

  test.each(["FAILED", "KILLED", "RUNNING"])(
    "takes an edit to %s in MLflow: only one side changed",
    async (status) => {
      const t = await adopted();
      t.run.status = status;
      expect(await t.pull()).toEqual({ kind: "merged", accepted: 1, conflicts: 0 });
      await t.deliver();
      expect([t.run.status, await t.conflicts(), await t.pull()]).toEqual([status, [], { kind: "same" }]);
    },
  );

  test("still has the trainer's own end, which meets an edit", async () => {
    const t = await adopted();
    t.run.status = "KILLED";
    await t.say({ ends: "failed" });
    await t.deliver();
    expect([t.run.status, await t.conflicts()]).toMatchObject([
      "FAILED",
      [{ base: "FINISHED", relay: "FAILED", mlflow: "KILLED" }],
    ]);
  });
});
