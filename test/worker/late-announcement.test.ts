import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { foldAll, post } from "./api.ts";

it("a model run's late announcement is a conflict of every trial that had its run made elsewhere, and of no other", async () => {
  const start = (trial_id: string, more: object = {}) => ({
    event: "ml.trial.start",
    model_run_id: "late",
    trial_id,
    spectral_norm: true,
    ...more,
  });
  await post(
    ["went", "waits", "adopted", "own", "right"].map((id) =>
      start(id, id === "own" ? { experiment_name: "mine" } : {}),
    ),
  );
  await foldAll();
  const made = (id: string, experiment: string, adopted = 0) =>
    env.DB.prepare(
      `update streams set mlflow_run_id = ?1, experiment_name = ?2, adopted = ?3, delivered_seq = last_seq
       where model_run_id = 'late' and trial_id = ?1`,
    ).bind(id, experiment, adopted);
  await env.DB.batch([
    made("went", "default"),
    made("adopted", "default", 1),
    made("own", "mine"),
    made("right", "study"),
  ]);
  const announce = () =>
    post({
      event: "ml.run.start",
      model_run_id: "late",
      experiment_name: "study",
      requested_trials: 5,
      search_space_version: 1,
      max_params: 1,
    });
  await announce();
  await foldAll();
  const conflicts = async () =>
    (
      await env.DB.prepare(
        `select s.trial_id, c.kind, c.kept, c.refused, c.source from conflicts c join streams s on s.id = c.stream_id`,
      ).all()
    ).results;
  const one = { trial_id: "went", kind: "experiment", kept: "default", refused: "study", source: "journal" };
  expect(await conflicts()).toEqual([one]);
  await announce();
  await foldAll();
  expect(await conflicts()).toEqual([one]);
});
