import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { expectArrived } from "../lib/expect-study.ts";
import { FAULTS, type Match } from "../lib/fault-proxy.ts";
import { chunks, makeStudy } from "../lib/study.ts";
import { type Lab, openLab, SHORT_LEASES } from "./lab.ts";

/** Time to kill the relay while its call is on the way; MLflow does it all the same. */
const UNDER_WAY = { kind: "stall", ms: 1_000 } as const;

let lab: Lab;
beforeAll(async () => {
  // As a user's: with all that wrangler has around the Worker.
  lab = await openLab(SHORT_LEASES, { inWranglerDev: true });
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

test("killed at several points of a large study, the relay loses and doubles nothing", async () => {
  const study = makeStudy("killed", { trials: 10, epochs: 160 });
  const points: Match[] = [
    { path: "runs/create", after: 5 },
    { path: "runs/log-batch", after: 8 },
    { path: "runs/update", after: 3 },
  ];
  const parts = chunks(study.events, Math.ceil(study.events.length / points.length));
  for (const [i, where] of points.entries()) {
    const rule = lab.proxy.fail({ ...where, times: 1 }, UNDER_WAY);
    await lab.relay.send(parts[i] ?? []);
    await lab.relay.until(`${where.path} is on its way`, () => rule.hits() > 0);
    await lab.relay.kill();
    lab.proxy.heal();
    await lab.relay.restart();
    // As a trainer does whose connection broke: it cannot know that all of it was kept.
    await lab.relay.send(parts[i] ?? []);
    await lab.relay.cron();
  }
  await lab.relay.delivered("killed");
  await lab.relay.cron();
  await expectArrived(lab, "killed", study);
});

test("killed right after the acknowledgement, the cron alone finds the work", async () => {
  const study = makeStudy("acknowledged", { trials: 4, epochs: 50 });
  await lab.relay.send(study.events);
  await lab.relay.kill();
  await lab.relay.restart();
  await lab.relay.cron();
  await lab.relay.delivered("acknowledged");
  await expectArrived(lab, "acknowledged", study);
});

test("killed while trials are woken after an outage, the cron finds those that still wait", async () => {
  lab.proxy.fail({}, FAULTS.refuse);
  const study = makeStudy("woken", { trials: 40, epochs: 2 });
  await lab.relay.send(study.events);
  await lab.relay.until("every trial waits for the breaker", () =>
    lab.relay.store.behind("woken").every((stream) => stream.waiting_for === "breaker"),
  );
  lab.proxy.heal();
  await lab.relay.until("the breaker is closed", () => lab.relay.store.breaker() === "closed");
  await lab.relay.kill();
  expect(lab.relay.store.behind("woken").length).toBeGreaterThan(0);
  await lab.relay.restart();
  await lab.relay.cron();
  await lab.relay.delivered("woken");
  await expectArrived(lab, "woken", study);
});
