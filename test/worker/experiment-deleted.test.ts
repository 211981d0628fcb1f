import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { renameExperiment } from "../../src/relay/repair/rename.ts";
import { unblock } from "../../src/relay/repair/unblock.ts";
import { post } from "./api.ts";
import { FakeExperiments } from "./fake-experiments.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { start } from "./payloads.ts";

/** Has a trial of an experiment go to MLflow, in so many turns; how it stands then. */
async function delivered(deps: Deps, trialId: string, experiment_name: string, turns = 1) {
  await post(start(trialId, { experiment_name }));
  const row = () =>
    env.DB.prepare(
      `select id, mlflow_run_id as run, mlflow_experiment_id as experiment, blocked_kind as blocked
       from streams where trial_id = ?1`,
    )
      .bind(trialId)
      .first<{ id: number; run: string | null; experiment: string | null; blocked: string | null }>();
  const id = (await row())?.id ?? -1;
  for (let turn = 0; turn < turns; turn++) {
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
    await drive(deps, id);
  }
  return row();
}

it("an experiment that was renamed and then deleted in MLflow is not made anew for who asks for its old name", async () => {
  const experiments = new FakeExperiments();
  const deps = new FakeMlflow({ experiments }).deps({
    RELAY_ANNOUNCE_GRACE_SECONDS: "0",
    RELAY_PARENT_RUNS: "false",
  });
  const before = await delivered(deps, "before", "series");
  const id = before?.experiment ?? "";
  expect(await renameExperiment(deps, id, "series, renamed")).toEqual({ kind: "renamed" });
  expect(await delivered(deps, "renamed", "series")).toMatchObject({ experiment: id, blocked: null });
  experiments.setLifecycle(id, "deleted");
  const deleted = await delivered(deps, "deleted", "series", 3);
  expect(deleted).toMatchObject({
    run: null,
    blocked: "gone_experiment",
  });
  expect([...experiments.byId.keys()]).toEqual(["0", id]);

  const restored = await unblock(deps, deleted?.id ?? -1, "restore", false);
  expect(restored).toMatchObject({ changes: [{ change: "restore_experiment", experiment_id: id }, {}] });
  expect(await delivered(deps, "deleted", "series")).toMatchObject({ experiment: id, blocked: null });
});
