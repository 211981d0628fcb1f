import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { idOf, post, request } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { start } from "./payloads.ts";

const ANNOUNCED = {
  event: "ml.run.start",
  model_run_id: "held up",
  requested_trials: 1,
  search_space_version: 1,
};

it("A model run whose own run cannot be made says so itself, and not its trials alone", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" });
  await post([ANNOUNCED, start("waits", { model_run_id: "held up" })]);
  const trialId = await env.DB.prepare("select id from streams where trial_id = 'waits'").first<number>("id");
  mlflow.trouble = (endpoint) => (endpoint.startsWith("experiments/") ? "refused" : null);
  await drive(deps, trialId ?? -1);
  const waiting = {
    sync_state: "waiting",
    waiting_for: "retry",
    last_error: expect.stringContaining("not now"),
  };
  const trial = `/api/trials/${await idOf("waits")}`;
  expect((await request("/api/model-runs/held up")).body).toMatchObject(waiting);
  expect((await request(trial)).body).toMatchObject(waiting);

  mlflow.trouble = () => null;
  await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(trialId).run();
  await drive(deps, trialId ?? -1);
  expect((await request("/api/model-runs/held up")).body).toMatchObject({
    sync_state: "pending",
    last_error: null,
    mlflow_run_id: expect.any(String),
  });
});
