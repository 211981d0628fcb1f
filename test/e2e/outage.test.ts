import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { expectArrived } from "../lib/expect-study.ts";
import { FAULTS, type Fault } from "../lib/fault-proxy.ts";
import { chunks, makeStudy } from "../lib/study.ts";
import { type OwnLab, openOwnLab } from "./lab.ts";

let lab: OwnLab;
beforeAll(async () => {
  lab = await openOwnLab();
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

async function mlflowState(): Promise<unknown> {
  return (await lab.relay.get("/ready")).body.mlflow;
}

test("MLflow is away at the start and comes back: everything arrives with its original times", async () => {
  await lab.stopMlflow();
  const study = makeStudy("away", { trials: 5, epochs: 30 });
  for (const batch of chunks(study.events, 60)) expect((await lab.relay.send(batch)).status).toBe(202);
  await lab.relay.until("the breaker is open", async () => {
    return JSON.stringify(await mlflowState()).includes('"breaker":"open"');
  });
  expect(lab.relay.store.behind("away")).toHaveLength(6);
  await lab.startMlflow();
  await lab.relay.delivered("away");
  await expectArrived(lab, "away", study);
  expect(await mlflowState()).toMatchObject({ breaker: "closed", alarm: false });
});

test("with delivery switched off everything is kept; switching it on delivers the backlog", async () => {
  await lab.relay.stop();
  await lab.relay.restart({ MLFLOW_ENABLED: "false" });
  const study = makeStudy("switched-off", { trials: 3, epochs: 20 });
  const before = lab.proxy.calls.length;
  await lab.relay.send(study.events);
  await lab.relay.until("all is folded", () =>
    lab.relay.store.behind("switched-off").every((stream) => stream.folded_seq === stream.last_seq),
  );
  await lab.relay.cron();
  expect(await mlflowState()).toMatchObject({ state: "off" });
  expect(lab.proxy.calls.length).toBe(before);
  expect(lab.relay.store.behind("switched-off")).toHaveLength(4);

  await lab.relay.stop();
  await lab.relay.restart();
  await lab.relay.cron();
  await lab.relay.delivered("switched-off");
  await expectArrived(lab, "switched-off", study);
});

test.each<[string, Fault[]]>([
  ["answers that say no", [FAULTS.unavailable, FAULTS.internalError, FAULTS.queuePool]],
  ["no answer, or one that is not MLflow's", [FAULTS.refuse, FAULTS.badGateway]],
])("%s in the middle of a study lose nothing", async (name, faults) => {
  const study = makeStudy(name, { trials: 4, epochs: 25 });
  const rules = faults.flatMap((fault) => [
    lab.proxy.fail({ path: "runs/create", after: 2, times: 1 }, fault),
    lab.proxy.fail({ path: "runs/log-batch", after: 1, times: 2 }, fault),
    lab.proxy.fail({ path: "runs/update", times: 1 }, fault),
  ]);
  for (const batch of chunks(study.events, 40)) await lab.relay.send(batch);
  await lab.relay.delivered(name);
  for (const rule of rules) expect(rule.hits()).toBeGreaterThanOrEqual(1);
  await expectArrived(lab, name, study);
});

test("Retry-After is honoured", async () => {
  const seconds = 3;
  const study = makeStudy("limited", { trials: 1, epochs: 10 });
  lab.proxy.fail({ path: "runs/log-batch", body: "train.loss", times: 1 }, FAULTS.tooMany(seconds));
  await lab.relay.send(study.events);
  await lab.relay.delivered("limited");
  await expectArrived(lab, "limited", study);
  const tries = lab.proxy
    .callsTo("runs/log-batch")
    .filter((call) => call.body.includes("train.loss"))
    .slice(-2);
  const [refused, taken] = tries;
  expect(refused?.status).toBe(429);
  expect((taken?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(seconds * 1000);
});

test("an HTML 403 is an alarm, not a reason to give up", async () => {
  lab.proxy.fail({}, FAULTS.forbidden);
  const study = makeStudy("forbidden", { trials: 3, epochs: 10 });
  await lab.relay.send(study.events);
  await lab.relay.until("the alarm shows", async () => {
    const state = JSON.stringify(await mlflowState());
    return state.includes('"breaker":"open"') && state.includes('"alarm":true');
  });
  const ready = await lab.relay.get("/ready");
  expect(ready).toMatchObject({ status: 200, body: { status: "degraded" } });
  lab.proxy.heal();
  await lab.relay.delivered("forbidden");
  await expectArrived(lab, "forbidden", study);
  expect(await mlflowState()).toMatchObject({ breaker: "closed", alarm: false });
});
