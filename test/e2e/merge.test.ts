import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DESCRIPTION_TAG, MERGE_POLICIES, type MergePolicy } from "../../src/domain/merge.ts";
import { trialOf } from "../lib/one-trial.ts";
import { type PythonClient, pythonClient } from "../lib/python-client.ts";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

const WRITES = /^runs\/(update|log|set|delete|create)/;
const HOUR_MS = 3_600_000;

describe.each(MERGE_POLICIES)("edits on both sides, under the policy %s", (policy) => {
  let lab: Lab;
  let client: PythonClient;
  beforeAll(async () => {
    lab = await openLab({
      RELAY_MERGE_NAME: policy,
      RELAY_MERGE_STATUS: policy,
      RELAY_MERGE_TAGS: policy,
      RELAY_MERGE_DESCRIPTION: policy,
    });
    client = await pythonClient(lab.trackingUri);
  });
  afterEach(() => lab.proxy.heal());
  afterAll(async () => {
    await client?.stop();
    await lab?.close();
  });

  /** A delivered trial with a name, tags and a description. */
  async function trial(name: string, more: Event[] = []) {
    const t = trialOf(name);
    const tags = { stage: "draft", owner: "relay" };
    const said = { run_name: "first", description: "as it began", tags, parameters: { lr: 0.1 } };
    await lab.relay.send([t.announce(), t.start(said), t.metric(0, 5), ...more]);
    await lab.relay.delivered(name);
    const { runId } = await lab.mlflow.trial(name, "t");
    return { t, runId };
  }

  /** Says so now, after everything that was said before. */
  const edit = (t: ReturnType<typeof trialOf>, fields: Record<string, unknown>, at = Date.now()): Event => ({
    ...t.start(fields),
    occurred_at: at,
  });

  async function shown(name: string): Promise<Record<string, unknown>> {
    const list = await lab.relay.get(`/api/trials?model_run_id=${encodeURIComponent(name)}`);
    const [first] = list.body.trials as { id: string }[];
    return (await lab.relay.get(`/api/trials/${first?.id}`)).body;
  }

  const conflictsOf = async (name: string) =>
    (await lab.relay.get(`/api/ops/conflicts?model_run_id=${encodeURIComponent(name)}`)).body.conflicts;

  test("what is edited in MLflow alone is taken over, and nothing is sent back", async () => {
    const { runId } = await trial("theirs");
    await client.run("set_tag", [runId, "stage", "reviewed"]);
    await client.run("set_tag", [runId, "reviewer", "anna"]);
    await client.run("delete_tag", [runId, "owner"]);
    await client.run("set_tag", [runId, DESCRIPTION_TAG, "as it turned out"]);
    await client.run("update_run", [runId, null, "second"]);
    await client.run("log_param", [runId, "seed", "7"]);
    const before = lab.proxy.calls.length;
    await lab.relay.cron();
    await lab.relay.delivered("theirs");
    const trialNow = await shown("theirs");
    expect(trialNow).toMatchObject({
      run_name: "second",
      parameters: { lr: "0.1", seed: "7" },
      tags: { stage: "reviewed", reviewer: "anna", [DESCRIPTION_TAG]: "as it turned out" },
    });
    expect(trialNow.tags).not.toHaveProperty("owner");
    const writes = lab.proxy.calls
      .slice(before)
      .filter(({ path, body }) => WRITES.test(path) && body.includes(runId));
    expect(writes).toEqual([]);
    expect(await conflictsOf("theirs")).toEqual([]);
    // A second pass finds nothing to do.
    const events = trialNow.events;
    await lab.relay.cron();
    expect((await shown("theirs")).events).toEqual(events);
  });

  test("a run that is stopped in MLflow is cancelled here, and a changed verdict is followed", async () => {
    const { runId } = await trial("stopped");
    await client.run("set_terminated", [runId, "KILLED"]);
    await lab.relay.cron();
    await lab.relay.delivered("stopped");
    expect(await shown("stopped")).toMatchObject({ status: "cancelled" });
    await client.run("update_run", [runId, "FAILED"]);
    const { id } = await shown("stopped");
    const asked = await lab.relay.ask(`/api/sync/trials/${id}/pull`);
    expect(asked.status).toBe(202);
    await lab.relay.until(
      "the verdict is followed",
      async () => (await shown("stopped")).status === "failed",
    );
    expect(await lab.mlflow.trial("stopped", "t")).toMatchObject({ status: "FAILED" });
    expect(await conflictsOf("stopped")).toEqual([]);
  });

  test("a run that is ended in MLflow once more ended then", async () => {
    const { t, runId } = await trial("ended twice");
    await lab.relay.send([t.complete()]);
    await lab.relay.until(
      "its end is in MLflow",
      async () => (await lab.mlflow.trial("ended twice", "t")).status === "FINISHED",
    );
    const endedAt = Date.now() + HOUR_MS;
    await client.run("set_terminated", [runId, "FINISHED", endedAt]);
    const { id } = await shown("ended twice");
    expect((await lab.relay.ask(`/api/sync/trials/${id}/pull`)).status).toBe(202);
    await lab.relay.until(
      "the end is followed",
      async () => (await shown("ended twice")).ended_at === new Date(endedAt).toISOString(),
    );
    expect(await shown("ended twice")).toMatchObject({ status: "succeeded" });
    expect(await conflictsOf("ended twice")).toEqual([]);
  });

  test("what the trainer edits alone goes to MLflow", async () => {
    const { t } = await trial("ours");
    const said = { run_name: "second", tags: { stage: "final", extra: "1" }, description: "done" };
    await lab.relay.send([edit(t, said), { ...t.complete(), occurred_at: Date.now() }]);
    await lab.relay.delivered("ours");
    await lab.relay.cron();
    expect(await lab.mlflow.trial("ours", "t")).toMatchObject({
      name: "second",
      status: "FINISHED",
      tags: { stage: "final", extra: "1", owner: "relay", [DESCRIPTION_TAG]: "done" },
    });
    expect(await conflictsOf("ours")).toEqual([]);
  });

  const taken: Record<MergePolicy, [late: "relay" | "mlflow", ahead: "relay" | "mlflow"]> = {
    relay: ["relay", "relay"],
    mlflow: ["mlflow", "mlflow"],
    // MLflow's time is when its edit was first seen, so the trainer's is newer only if its clock says so.
    newest: ["mlflow", "relay"],
  };

  test.each([
    ["before MLflow's was seen", taken[policy][0], 0],
    ["by a time after that", taken[policy][1], HOUR_MS],
  ])(
    "both edited, the trainer %s: the %s side stands on both, and the conflict is recorded",
    async (when, side, aheadMs) => {
      const name = `both, ${when}`;
      const { t, runId } = await trial(name);
      lab.proxy.fail({}, { kind: "refuse" });
      const tags = { stage: "relay's" };
      const said = { run_name: "relay's", description: "relay's", tags, parameters: { width: 8 } };
      await lab.relay.send([edit(t, said, Date.now() + aheadMs), t.metric(1, 4)]);
      await client.run("log_param", [runId, "width", "7"]);
      await client.run("update_run", [runId, null, "mlflow's"]);
      await client.run("set_tag", [runId, "stage", "mlflow's"]);
      await client.run("set_tag", [runId, DESCRIPTION_TAG, "mlflow's"]);
      lab.proxy.heal();
      await lab.relay.delivered(name);
      const value = `${side}'s`;
      expect(await lab.mlflow.trial(name, "t")).toMatchObject({
        name: value,
        tags: { stage: value, [DESCRIPTION_TAG]: value, owner: "relay" },
        params: { lr: "0.1", width: "7" },
      });
      expect(await shown(name)).toMatchObject({
        run_name: value,
        tags: { stage: value, [DESCRIPTION_TAG]: value },
      });
      const values = { relay_value: "relay's", mlflow_value: "mlflow's", decision: side };
      expect(await conflictsOf(name)).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ kind: "name", base: "first", ...values }),
          expect.objectContaining({ kind: "tag", field: "stage", base: "draft", ...values }),
          expect.objectContaining({ kind: "description", base: "as it began", ...values }),
          // A parameter of a run cannot be changed, whatever the policy.
          expect.objectContaining({ kind: "param", field: "width", kept: "7", refused: "8" }),
        ]),
      );
      // By hand it can still be had the other way.
      const other = side === "relay" ? "mlflow" : "relay";
      const settled = await lab.relay.ask("/api/ops/conflicts/resolve", {
        take: other,
        filter: { model_run_id: name },
      });
      expect(settled.status).toBe(200);
      await lab.relay.delivered(name);
      expect(await lab.mlflow.trial(name, "t")).toMatchObject({
        name: `${other}'s`,
        tags: { stage: `${other}'s`, [DESCRIPTION_TAG]: `${other}'s` },
      });
    },
  );

  test("an end on both sides is a conflict too", async () => {
    const name = "two ends";
    const { t, runId } = await trial(name);
    lab.proxy.fail({}, { kind: "refuse" });
    await lab.relay.send([{ ...t.complete(), occurred_at: Date.now() }]);
    await client.run("set_terminated", [runId, "FAILED"]);
    lab.proxy.heal();
    await lab.relay.delivered(name);
    const stands = policy === "relay" ? "FINISHED" : "FAILED";
    expect(await lab.mlflow.trial(name, "t")).toMatchObject({ status: stands });
    expect((await shown(name)).status).toBe(stands === "FINISHED" ? "succeeded" : "failed");
  });

  test("a run that the trainer made is adopted with its parameters and tags", async () => {
    const name = "adopted";
    const experiment = await client.run("create_experiment", [name]);
    const made = await client.run("create_run", [experiment], { run_name: "own", tags: { team: "vision" } });
    const runId = (made as { info: { run_id: string } }).info.run_id;
    await client.run("log_param", [runId, "depth", "3"]);
    const t = trialOf(name);
    await lab.relay.send([t.announce(), t.start({ mlflow_run_id: runId, parameters: { lr: 0.1 } })]);
    await lab.relay.delivered(name);
    const view = { parameters: { lr: "0.1", depth: "3" }, tags: { team: "vision" } };
    expect(await shown(name)).toMatchObject(view);
    expect(await lab.mlflow.trial(name, "t")).toMatchObject({
      name: "own",
      params: view.parameters,
      tags: view.tags,
    });
  });
});
