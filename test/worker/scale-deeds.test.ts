import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { keepArtifact, noteObject } from "../../src/store/artifacts/keep.ts";
import { countHeldUp, freeHeldUp, wakeTrialsOf } from "../../src/store/delivery/blocked.ts";
import { activeExperimentNamed } from "../../src/store/mirror/active-experiments.ts";
import { experimentNamed } from "../../src/store/mirror/experiments.ts";
import { metered } from "./metered.ts";

/** What is done seldom, or for each file, reads no more with the past either. */
const OVER = 5_000;
const MOST_ROWS_READ = 50;
const WAITING = OVER + 1;

beforeAll(async () => {
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${OVER})`;
  const queries = [
    `${numbers} insert into streams (id, key, kind, model_run_id, trial_id, created_at, updated_at, last_seq, folded_seq,
       planned_seq, delivered_seq, mlflow_experiment_id, mlflow_run_id)
     select i, 'k' || i, 'trial', 'study', 't' || i, 1, 1, 1, 1, 1, 1, 'experiment', 'run-' || i from n`,
    `insert into artifacts (stream_id, path, bytes, sha256, content_type, object_key, version, delivered_version,
       delivered_at, created_at, updated_at)
     select id, 'model.bin', 1, 'x', 'text/plain', 'object-' || id, 1, 1, 1, 1, 1 from streams`,
    `insert into streams (id, key, kind, model_run_id, trial_id, created_at, updated_at, last_seq, waiting_for, next_attempt_at)
     values (${WAITING}, 'waiting', 'trial', 'study', 'waiting', 1, 1, 1, 'parent', 9)`,
    `insert into streams (id, key, kind, trial_id, created_at, updated_at, blocked_kind, mlflow_experiment_id)
     values (${OVER + 2}, 'gone', 'trial', 'gone', 1, 1, 'gone_run', 'experiment')`,
  ];
  queries.push(
    `${numbers} insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at)
     select i, 'experiment ' || i, 'active', 1 from n`,
    `update mlflow_experiments set former_names = '["its old name"]' where mlflow_experiment_id = '7'`,
  );
  await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
});

test("a file is kept without reading what else was ever kept", async () => {
  const { db, meter } = metered(env.DB);
  const file = {
    path: "new.bin",
    objectKey: "new",
    bytes: 1,
    sha256: "y",
    md5: null,
    contentType: "text/plain",
  };
  await noteObject(db, file.objectKey, null, Date.now() + 60_000);
  const kept = await keepArtifact(db, { streamId: 1, ...file }, Date.now());
  expect(kept.kind).toBe("kept");
  expect(await env.DB.prepare("select count(*) as n from loose_objects").first("n")).toBe(0);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

test("the trials that wait for their model run's run are found among those that have something to do", async () => {
  const { db, meter } = metered(env.DB);
  expect(await wakeTrialsOf(db, "study")).toEqual([WAITING]);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

test("what a deleted experiment holds up is found among what is blocked", async () => {
  const { db, meter } = metered(env.DB);
  const held = { streamId: 1, experimentId: "experiment", name: "its name" };
  expect(await countHeldUp(db, held)).toBe(1);
  expect(await freeHeldUp(db, held)).toEqual([OVER + 2]);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

test.each([
  ["experiment 9", "9"],
  ["its old name", "7"],
  ["nobody's", null],
])("the experiment of the name %s is found without reading the others", async (name, id) => {
  const { db, meter } = metered(env.DB);
  expect(await activeExperimentNamed(db, name)).toBe(id);
  expect(await experimentNamed(db, name)).toBe(id);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});
