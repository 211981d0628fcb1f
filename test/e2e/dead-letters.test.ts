import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { FAULTS } from "../lib/fault-proxy.ts";
import { point } from "../lib/mlflow-read.ts";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

const AT = Date.UTC(2025, 0, 1);

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

/** The events of one trial, which lives in an experiment named like its model run. */
function trialOf(modelRunId: string) {
  const of = (event: string, fields: Record<string, unknown>): Event => ({
    event,
    model_run_id: modelRunId,
    trial_id: "t",
    occurred_at: AT,
    ...fields,
  });
  return {
    start: (parameters: object = {}): Event[] => [
      {
        event: "ml.run.start",
        model_run_id: modelRunId,
        occurred_at: AT,
        requested_trials: 1,
        search_space_version: 1,
        experiment_name: modelRunId,
      },
      of("ml.trial.start", { spectral_norm: false, parameters }),
    ],
    metric: (metric_name: string, step: number, metric_value: number | string) =>
      of("ml.run.metric", { metric_name, step, metric_value }),
    complete: () => of("ml.trial.complete", { spectral_norm: false, metrics: {} }),
  };
}

const letters = z.object({
  dead_letters: z.array(z.object({ id: z.number(), kind: z.string(), item: z.json(), state: z.string() })),
});

async function lettersOf(modelRunId: string, state = "open") {
  const query = new URLSearchParams({ model_run_id: modelRunId, state });
  const { body } = await lab.relay.get(`/api/ops/dead-letters?${query}`);
  return letters.parse(body).dead_letters;
}

/** What a reading back of MLflow finds amiss, by the relay's own judgement. */
async function confirmed(modelRunId: string): Promise<void> {
  const { body } = await lab.relay.ask(`/api/ops/model-runs/${modelRunId}/verify`);
  expect(body).toMatchObject({ differing: 0 });
}

test("a poison item is edited and arrives; the others were never held up", async () => {
  const t = trialOf("edited");
  const rule = lab.proxy.fail({ path: "runs/log-batch", body: '"poison"' }, FAULTS.invalidParameter);
  const good = Array.from({ length: 40 }, (_, step) => t.metric("loss", step, step / 3));
  await lab.relay.send([...t.start(), ...good.slice(0, 20), t.metric("poison", 7, 13), ...good.slice(20)]);
  await lab.relay.send(t.complete());
  await lab.relay.delivered("edited");
  const losses = good.map((_, step) => point("loss", step, AT, step / 3));
  expect(await lab.mlflow.trial("edited", "t")).toMatchObject({ status: "FINISHED", points: losses.sort() });
  await confirmed("edited");
  const [letter, ...others] = await lettersOf("edited");
  expect(others).toEqual([]);
  expect(letter).toMatchObject({ kind: "metric", item: { key: "poison", value: 13, step: 7 } });

  const item = { key: "cured", value: 14, step: 8, timestamp: AT };
  const path = `/api/ops/dead-letters/${letter?.id}`;
  expect((await lab.relay.ask(`${path}/replay`, { item })).body).toMatchObject({ state: "replayed" });
  await lab.relay.delivered("edited");
  const run = await lab.mlflow.trial("edited", "t");
  expect(run.points).toEqual([...losses, point("cured", 8, AT, 14)].sort());
  expect(run.status).toBe("FINISHED");
  expect(await lettersOf("edited")).toEqual([]);
  expect(rule.hits()).toBeGreaterThan(1);
  await confirmed("edited");
});

test("what is refused again is an open letter again, and arrives once MLflow takes it", async () => {
  const t = trialOf("again");
  lab.proxy.fail({ path: "runs/log-batch", body: '"poison' }, FAULTS.invalidParameter);
  const parameters = { depth: 3, "poison.param": "deep" };
  await lab.relay.send([...t.start(parameters), t.metric("poison", 1, "NaN"), t.metric("loss", 1, 2)]);
  await lab.relay.delivered("again");
  const found = await lettersOf("again");
  expect(found.map(({ kind }) => kind).sort()).toEqual(["metric", "param"]);
  const filter = { model_run_id: "again" };
  const replay = (dry_run: boolean) => lab.relay.ask("/api/ops/dead-letters/replay", { filter, dry_run });
  expect((await replay(false)).body).toMatchObject({ count: 2, more: false });
  await lab.relay.delivered("again");
  expect((await lettersOf("again")).map(({ id }) => id).sort()).toEqual(found.map(({ id }) => id).sort());

  lab.proxy.heal();
  expect((await replay(true)).body).toMatchObject({ dry_run: true, count: 2 });
  expect(await lettersOf("again")).toHaveLength(2);
  // More comes in while the replay is under way.
  await Promise.all([replay(false), lab.relay.send([t.metric("loss", 2, 3), t.complete()])]);
  await lab.relay.delivered("again");
  const run = await lab.mlflow.trial("again", "t");
  expect(run).toMatchObject({ status: "FINISHED", params: { depth: "3", "poison.param": "deep" } });
  expect(run.points).toEqual(
    [point("loss", 1, AT, 2), point("loss", 2, AT, 3), point("poison", 1, AT, Number.NaN)].sort(),
  );
  expect(await lettersOf("again")).toEqual([]);
  await confirmed("again");
});

test("letters that are dropped go nowhere, and the trial goes on", async () => {
  const t = trialOf("dropped");
  lab.proxy.fail({ path: "runs/log-batch", body: '"poison' }, FAULTS.invalidParameter);
  const poison = Array.from({ length: 3 }, (_, step) => t.metric("poison", step, 1));
  await lab.relay.send([...t.start(), ...poison, t.metric("loss", 1, 2)]);
  await lab.relay.delivered("dropped");
  const filter = { model_run_id: "dropped", key: "poison", reason: "invalid value" };
  const drop = (dry_run: boolean) => lab.relay.ask("/api/ops/dead-letters/drop", { filter, dry_run });
  expect((await drop(true)).body).toMatchObject({ count: 3, sample: [{ kind: "metric" }, {}, {}] });
  expect((await drop(false)).body).toMatchObject({ count: 3 });
  lab.proxy.heal();
  await lab.relay.send([t.metric("loss", 2, 3), t.complete()]);
  await lab.relay.delivered("dropped");
  const run = await lab.mlflow.trial("dropped", "t");
  expect(run.points).toEqual([point("loss", 1, AT, 2), point("loss", 2, AT, 3)]);
  expect(await lettersOf("dropped", "dropped")).toHaveLength(3);
  await confirmed("dropped");
});
