import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { Deps } from "../../src/relay/deps.ts";
import { pullRunning } from "../../src/relay/follow/running.ts";
import { post } from "./api.ts";
import { follow, syncExperiment, syncJob, thunderlineTags } from "./following.ts";
import { MOMENTS, mortal } from "./mortal.ts";
import { TrackingServer } from "./tracking-server.ts";

const { DB: db } = env;
const all = { afterId: 0, maxRuns: 1_000, maxMs: 60_000 };
const noteOf = (trialId: string) =>
  db
    .prepare(
      "select value from tags t join streams s on s.id = t.stream_id where s.trial_id = ?1 and t.key = 'note'",
    )
    .bind(trialId)
    .first<string>("value");

/** A run that goes on as the mirror has it; its trial has ended, and it was edited and ended in MLflow. */
async function ended(id: string): Promise<{ deps: Deps; runId: string }> {
  const server = new TrackingServer();
  server.experiment(id, id);
  await post({ event: "ml.trial.start", model_run_id: "ended", trial_id: id, spectral_norm: true });
  const tags = thunderlineTags(id, "ended");
  const run = server.run(id, { tags });
  const deps = server.deps();
  const job = syncJob(id);
  await syncExperiment(deps, job);
  await db.prepare("update trials set status = 'succeeded' where trial_id = ?1").bind(id).run();
  run.data.tags = [...tags, { key: "note", value: "edited" }];
  run.info.status = "FINISHED";
  run.info.end_time = Date.now();
  return { deps, runId: run.info.run_id };
}

it.each(MOMENTS)(
  "an edit with which a run ended is followed, though the look that saw it died %s a round trip",
  async (moment) => {
    let isOver = false;
    for (let trip = 0; !isOver; trip++) {
      const id = `ended-${moment}-${trip}`;
      const { deps, runId } = await ended(id);
      const { db: dying, state } = mortal(db, { trip, moment }, async () => {});
      await pullRunning({ ...deps, db: dying }, all).catch(() => {});
      isOver = state.trips <= trip;
      // The cron's next pass: whoever was not marked is looked at again, or it is too late.
      await pullRunning(deps, all);
      await follow(deps, { kind: "follow", runId });
      expect({ trip, note: await noteOf(id) }).toEqual({ trip, note: "edited" });
    }
  },
);
