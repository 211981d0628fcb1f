import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { FAULTS } from "../lib/fault-proxy.ts";
import { unwrap } from "../lib/mlflow-read.ts";
import type { Event } from "../lib/relay.ts";
import { chunks, makeStudy } from "../lib/study.ts";
import { verifyAll, verifyOnly } from "../lib/verdict.ts";
import { type Lab, openLab, UNANNOUNCED } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED);
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

const AT = Date.UTC(2025, 3, 1);

/** A trial `t` with a metric of so many steps, delivered and ended. */
function trial(model_run_id: string, steps: number, more: object = {}): Event[] {
  const ids = { model_run_id, trial_id: "t" };
  return [
    {
      event: "ml.trial.start",
      ...ids,
      spectral_norm: true,
      experiment_name: model_run_id,
      parameters: { lr: 0.5 },
      metadata: { host: "a" },
      occurred_at: AT,
      ...more,
    },
    ...Array.from({ length: steps }, (_, step) => ({
      event: "ml.run.metric",
      ...ids,
      step,
      metrics: { loss: step / 4, acc: step % 5 === 0 ? "NaN" : step },
      occurred_at: AT + step,
    })),
    { event: "ml.trial.complete", ...ids, spectral_norm: true, metrics: {}, occurred_at: AT + 60_000 },
  ];
}

async function runOf(modelRunId: string): Promise<string> {
  return (await lab.mlflow.trial(modelRunId, "t")).runId;
}

test("a study with NaN and infinities is confirmed, trial by trial", async () => {
  const study = makeStudy("confirmed", { trials: 4, epochs: 60 });
  await lab.relay.send(study.events);
  await lab.relay.delivered("confirmed");
  const verdicts = await verifyAll(lab.relay, "confirmed");
  expect([...verdicts.keys()].sort()).toEqual([null, ...study.trials.keys()].sort());
  for (const [trialId, { verdict, report, id }] of verdicts) {
    expect(verdict, JSON.stringify(report)).toBe("confirmed");
    const points = study.trials.get(trialId ?? "")?.points.length;
    if (points !== undefined) expect(report?.points.compared).toBe(points);
    if (trialId === null) continue;
    const { body } = await lab.relay.get(`/api/trials/${id}`);
    expect(body.verified).toMatchObject({ verdict: "confirmed", up_to_date: true });
    const { body: ledger } = await lab.relay.get(`/api/trials/${id}/ledger?state=confirmed&limit=1`);
    expect(ledger.totals).toMatchObject({ accepted: 62, delivered: 62, confirmed: 62 });
  }
});

test("what was changed in MLflow behind the relay's back is named exactly", async () => {
  await lab.relay.send(trial("changed", 20));
  await lab.relay.delivered("changed");
  const runId = await runOf("changed");
  const { client } = lab.mlflow;
  unwrap(await client.logMetric({ runId, key: "loss", value: 9, timestamp: AT + 999, step: 99 }));
  unwrap(await client.logMetric({ runId, key: "mine", value: 1, timestamp: AT, step: 0 }));
  unwrap(await client.setTag({ runId, key: "metadata.host", value: "b" }));
  unwrap(await client.updateRun({ runId, status: "KILLED", endTime: AT + 60_000 }));
  const { info } = unwrap(await client.getRun(runId));
  const tags = [
    { key: "thunderline_trial_id", value: "t" },
    { key: "thunderline_model_run_id", value: "changed" },
  ];
  const made = await client.createRun({ experimentId: info.experimentId, runName: "t", startTime: AT, tags });

  const { verdict, report, id } = await verifyOnly(lab.relay, "changed");
  expect(verdict).toBe("differs");
  expect(report).toMatchObject({
    run: { id: runId, state: "active" },
    double_runs: [unwrap(made).info.runId],
    points: { compared: 40, missing: 0, extra: 2, different: 0, doubled: 0 },
    params: { missing: { count: 0 }, different: { count: 0 } },
    tags: {
      missing: { count: 0 },
      different: { count: 1, sample: [{ key: "metadata.host", expected: "a", found: "b" }] },
    },
    state: [{ field: "status", expected: "FINISHED", found: "KILLED" }],
  });
  expect(report?.points.keys).toMatchObject({
    loss: { extra: { count: 1, sample: [{ step: 99, timestamp: AT + 999, value: 9 }] } },
    mine: { extra: { count: 1 } },
  });
  const stored = await lab.relay.get(`/api/trials/${id}/verdict`);
  expect(stored.body).toMatchObject({ verdict: "differs", report: JSON.parse(JSON.stringify(report)) });
  expect((await lab.relay.get(`/api/trials/${id}/ledger`)).body.totals).toMatchObject({ confirmed: 0 });
});

test("what MLflow took and lost is missing; another value in its place is different", async () => {
  lab.proxy.fail({ path: "runs/log-batch", body: "relay.batch" }, FAULTS.lost);
  await lab.relay.send(trial("lost", 12));
  await lab.relay.delivered("lost");
  lab.proxy.heal();
  const runId = await runOf("lost");
  unwrap(await lab.mlflow.client.logMetric({ runId, key: "loss", value: 7, timestamp: AT + 3, step: 3 }));
  const { verdict, report } = await verifyOnly(lab.relay, "lost");
  expect(verdict).toBe("differs");
  expect(report).toMatchObject({
    points: { compared: 24, missing: 23, extra: 0, different: 1, undelivered: 0, explained: 0 },
    params: { missing: { count: 1, sample: [{ key: "lr", expected: "0.5" }] } },
    state: [],
  });
  expect(report?.points.keys).toMatchObject({
    acc: { missing: { count: 12 } },
    loss: {
      missing: { count: 11 },
      different: { sample: [{ expected: { step: 3, value: 0.75 }, found: { step: 3, value: 7 } }] },
    },
  });
  expect(report?.tags.missing.sample).toContainEqual({ key: "metadata.host", expected: "a" });
});

test("a deleted run is said to be deleted", async () => {
  await lab.relay.send(trial("deleted", 3));
  await lab.relay.delivered("deleted");
  unwrap(await lab.mlflow.client.deleteRun(await runOf("deleted")));
  const { verdict, report } = await verifyOnly(lab.relay, "deleted");
  expect([verdict, report?.run.state, report?.points.missing]).toEqual(["differs", "deleted", 0]);
});

test("dead letters and conflicts explain what is not there", async () => {
  await lab.relay.send(trial("explained", 4).slice(0, 2));
  await lab.relay.delivered("explained");
  unwrap(await lab.mlflow.client.logParameter({ runId: await runOf("explained"), key: "seed", value: "1" }));
  lab.proxy.fail({ path: "runs/log-batch", body: '"key":"poison"' }, FAULTS.invalidParameter);
  const ids = { model_run_id: "explained", trial_id: "t" };
  const metrics = { poison: 1, fine: 2 };
  await lab.relay.send([
    { event: "ml.run.metric", ...ids, step: 5, metrics, occurred_at: AT + 5 },
    {
      event: "ml.trial.complete",
      ...ids,
      spectral_norm: true,
      metrics: {},
      parameters: { seed: 2 },
      occurred_at: AT + 9,
    },
  ]);
  await lab.relay.delivered("explained");
  expect(lab.relay.store.deadLetters("explained")).toHaveLength(1);
  expect(lab.relay.store.conflicts("explained")).toMatchObject([{ field: "seed", kept: "1", refused: "2" }]);
  const { verdict, report, id } = await verifyOnly(lab.relay, "explained");
  expect(verdict, JSON.stringify(report)).toBe("confirmed");
  expect([report?.points.explained, report?.params.explained]).toEqual([1, 1]);
  const { body } = await lab.relay.get(`/api/trials/${id}/ledger`);
  expect(body).toMatchObject({
    totals: { accepted: 4, confirmed: 4, dead: 1, conflicting: 1 },
    events: [{ state: "confirmed" }, { state: "confirmed" }, { state: "dead" }, { state: "conflicting" }],
  });
});

test("a trial that is being delivered is never misreported", async () => {
  const study = makeStudy("meanwhile", { trials: 2, epochs: 600 });
  const [first = [], ...rest] = chunks(study.events, 100);
  await lab.relay.send(first);
  const sending = (async () => {
    for (const batch of rest) await lab.relay.send(batch);
  })();
  let verified = 0;
  let compared = 0;
  for (let behind = true; behind; verified++) {
    behind = verified === 0 || lab.relay.store.behind("meanwhile").length > 0;
    for (const { verdict, report } of (await verifyAll(lab.relay, "meanwhile")).values()) {
      expect(verdict, JSON.stringify(report)).not.toBe("differs");
      compared += report?.points.compared ?? 0;
    }
  }
  await sending;
  await lab.relay.delivered("meanwhile");
  for (const { verdict } of (await verifyAll(lab.relay, "meanwhile")).values())
    expect(verdict).toBe("confirmed");
  expect(verified).toBeGreaterThan(2);
  expect(compared).toBeGreaterThan(0);
});

test("while MLflow cannot be read nothing is said, and a trial without a run has no verdict", async () => {
  lab.proxy.fail({ path: "runs/create" }, FAULTS.unavailable);
  await lab.relay.send(trial("nothing", 1));
  const missing = await lab.relay.ask("/api/ops/model-runs/none/verify");
  expect([missing.status, missing.body.detail]).toEqual([404, "There is no model run none."]);
  const { body } = await lab.relay.get("/api/trials?model_run_id=nothing");
  const [{ id }] = Array.isArray(body.trials) ? body.trials : [];
  lab.proxy.heal();
  await lab.relay.delivered("nothing");
  lab.proxy.fail({ path: "runs/get" }, FAULTS.unavailable);
  const answer = await lab.relay.ask(`/api/ops/trials/${id}/verify`);
  expect(answer).toMatchObject({ status: 503, body: { error: "unavailable" } });
  expect((await lab.relay.get(`/api/trials/${id}/verdict`)).status).toBe(404);
  lab.proxy.heal();
  expect((await lab.relay.ask(`/api/ops/trials/${id}/verify`)).body).toMatchObject({ verdict: "confirmed" });
});
