import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { seeded } from "../../scripts/demo/random.ts";
import { expectArrived } from "../lib/expect-study.ts";
import { FAULTS, type Fault } from "../lib/fault-proxy.ts";
import { chunks, makeStudy } from "../lib/study.ts";
import { type Lab, openLab } from "./lab.ts";

const SENT_BEFORE_TIMEOUT_MS = 2_000;
/** Longer than the relay waits for an answer, within the time in which it expects a late effect. */
const LATE: Fault = { kind: "stall", ms: SENT_BEFORE_TIMEOUT_MS + 500 };

let lab: Lab;
beforeAll(async () => {
  lab = await openLab({ MLFLOW_REQUEST_TIMEOUT: String(SENT_BEFORE_TIMEOUT_MS) });
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

const WRITES = ["experiments/create", "runs/create", "runs/log-batch", "runs/set-tag", "runs/update"];

test.each<[string, Fault]>([
  ["cut off after MLflow did it", FAULTS.cut],
  ["refused before MLflow heard of it", FAULTS.refuse],
  ["done only after the relay gave up waiting", LATE],
])("a write that is %s takes effect once, whichever it is", async (name, fault) => {
  const study = makeStudy(name, { trials: 4, epochs: 40 });
  const rules = WRITES.map((path) => lab.proxy.fail({ path, times: 2 }, fault));
  await lab.relay.send(study.events);
  await lab.relay.delivered(name);
  for (const rule of rules) expect(rule.hits()).toBeGreaterThanOrEqual(1);
  await expectArrived(lab, name, study);
});

test("a batch whose answer was lost is found in MLflow and not sent again", async () => {
  const study = makeStudy("found", { trials: 1, epochs: 40 });
  lab.proxy.fail({ path: "runs/log-batch", body: "train.loss", times: 1 }, FAULTS.cut);
  const before = lab.proxy.calls.length;
  await lab.relay.send(study.events);
  await lab.relay.delivered("found");
  const batches = lab.proxy.calls
    .slice(before)
    .filter((call) => call.path === "runs/log-batch" && call.body.includes("train.loss"));
  expect(batches).toHaveLength(1);
  await expectArrived(lab, "found", study);
});

test("a network that fails at random loses and doubles nothing", async () => {
  const random = seeded(11);
  const kinds = [FAULTS.cut, FAULTS.refuse, FAULTS.unavailable, FAULTS.badGateway, FAULTS.cut];
  for (const fault of kinds)
    for (let i = 0; i < 3; i++) lab.proxy.fail({ after: Math.floor(random() * 40), times: 1 }, fault);
  const experiment = "random network";
  const study = makeStudy(experiment, { trials: 6, epochs: 30 });
  for (const batch of chunks(study.events, 30)) await lab.relay.send(batch);
  await lab.relay.delivered(experiment);
  lab.proxy.heal();
  await lab.relay.cron();
  await expectArrived(lab, experiment, study);
});
