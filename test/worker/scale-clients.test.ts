import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { claimExperiment, noteSent, releaseBrought } from "../../src/store/gateway/behind.ts";
import { changeExperiment } from "../../src/store/gateway/change-experiment.ts";
import { prunePoints } from "../../src/store/gateway/model-points-pruned.ts";
import { tiesBehind } from "../../src/store/gateway/model-ties-behind.ts";
import { claimModel } from "../../src/store/gateway/models-behind.ts";
import { metered } from "./metered.ts";

/** What an MLflow client's experiment or logged model costs on its way to MLflow: others that are over do not add to it. */
const OVER = 5_000;
const MOST_ROWS_READ = 50;
const EXPERIMENT = "900000000000000001";
const now = Date.now();

const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${OVER})`;
const SENT = { name: "theirs", lifecycle: "active", tags: {}, doubt: [] } as const;

beforeAll(async () => {
  const queries = [
    `insert into gateway_experiments (id, mlflow_experiment_id, name, artifact_location, created_time, updated_time, sent)
     values ('${EXPERIMENT}', '2', 'theirs', 'a', 1, 1, '${JSON.stringify(SENT)}')`,
    `${numbers} insert into streams (id, key, kind, trial_id, created_at, updated_at, last_seq, folded_seq, planned_seq,
       delivered_seq, delivered_at, mlflow_experiment_id, mlflow_run_id)
     select i, 'k' || i, 'trial', 't' || i, 1, 1, 1, 1, 1, 1, 1, '2', 'theirs-' || i from n`,
    `insert into gateway_runs (stream_id, run_id, experiment_id, status, start_time, artifact_uri, created_at, touched_at)
     select id, key, '${EXPERIMENT}', 'FINISHED', 1, 'a', 1, 1 from streams`,
    `insert into streams (id, key, kind, trial_id, created_at, updated_at, last_seq, blocked_kind)
     values (${OVER + 1}, 'gone', 'trial', 'gone', 1, 1, 1, 'gone_experiment'), (${OVER + 2}, 'busy', 'trial', 'busy', 1, 1, 1, null)`,
    `insert into gateway_runs (stream_id, run_id, experiment_id, artifact_uri, created_at, touched_at)
     select id, key, '${EXPERIMENT}', 'a', 1, 1 from streams where key in ('gone', 'busy')`,
    `${numbers} insert into gateway_models (id, mlflow_id, artifact_uri, experiment_id, source_run_id, name, model_type,
       created_time, updated_time, touched_at)
     select 'm-' || i, 'theirs-' || i, 'a', '${EXPERIMENT}', 'k1', 'tree', '', ${now} - i * 3600000, 1, 1 from n`,
    `insert into gateway_models (id, artifact_uri, experiment_id, source_run_id, name, model_type, created_time, updated_time,
       touched_at, version)
     values ('m-new', 'a', '${EXPERIMENT}', 'k1', 'tree', '', ${now}, 1, 1, 1), ('m-newer', 'a', '${EXPERIMENT}', 'k1', 'tree', '', ${now}, 1, 1, 1)`,
    `insert into gateway_model_points (model_id, key, timestamp, step, stream_id, seq, value, is_delivered)
     select 'm-1', 'loss', id, id, id, 1, 1, 1 from streams where id <= ${OVER}`,
    `insert into gateway_model_links (model_id, stream_id, kind, is_delivered)
     select 'm-1', id, 'input', id <= ${OVER} from streams where id <= ${OVER} + 1`,
  ];
  await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
});

it("brings an experiment to MLflow, and frees what it holds up, without reading the runs in it that are over", async () => {
  const { db, meter } = metered(env.DB);
  expect(await changeExperiment(db, EXPERIMENT, { kind: "tag", key: "a", value: "1" })).toBe(true);
  const claimed = await claimExperiment(db, EXPERIMENT, 60_000, now);
  if (!claimed) throw new Error("nobody has it");
  expect(claimed.isBusy).toBe(true);
  const sent = { ...SENT, doubt: [], tags: { a: "1" } };
  expect(await noteSent(db, claimed, { sent, ms: 60_000, mlflowId: null, ledAlongAt: null })).toEqual([]);
  expect(await releaseBrought(db, claimed, { seen: sent, sent })).toEqual([OVER + 1]);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

it("restores an experiment that is not deleted without reading its runs", async () => {
  const { db, meter } = metered(env.DB);
  expect(await changeExperiment(db, EXPERIMENT, { kind: "lifecycle", lifecycle: "active", now })).toBe(false);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

it("takes a logged model in hand without reading those of its experiment that MLflow has", async () => {
  const { db, meter } = metered(env.DB);
  expect((await claimModel(db, "m-newer", 60_000, now))?.isLater).toBe(true);
  expect((await claimModel(db, "m-new", 60_000, now))?.isLater).toBe(false);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

it("prunes a point of a logged model without reading its others", async () => {
  const { db, meter } = metered(env.DB);
  const seen = [5, 6].map((i) => ({ key: "loss", timestamp: i, step: i, runId: `theirs-${i}`, value: 1 }));
  expect(await prunePoints(db, { id: "m-1", mlflowId: "theirs-1" }, seen, { now, again: now })).toBe(2);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

it("finds the run that MLflow is to hear a logged model was given to without reading those that it knows of", async () => {
  const { db, meter } = metered(env.DB);
  expect(await tiesBehind(db, "m-1", 10)).toMatchObject([{ streamId: OVER + 1 }]);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});
