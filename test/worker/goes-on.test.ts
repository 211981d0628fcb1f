import { expect, it } from "vitest";
import { foldAll, idOf, post, request } from "./api.ts";
import { start } from "./payloads.ts";

/** What a trial's ends say without a step stands after every step only until the trial goes on. */

const AT = Date.parse("2025-01-01T00:00:00Z");
const END = { model_run_id: "m", event: "ml.trial.complete", spectral_norm: false };
const end = (trial_id: string, loss: number, at: number) => ({
  ...END,
  trial_id,
  metrics: { loss, acc: loss },
  occurred_at: AT + at,
});
const point = (trial_id: string, step: number, loss: number, at: number) => ({
  event: "ml.run.metric",
  model_run_id: "m",
  trial_id,
  step,
  metrics: { loss },
  occurred_at: AT + at,
});
const resume = (trial_id: string, at: number) => start(trial_id, { resume: true, occurred_at: AT + at });

it.each([
  ["in one request", async (events: object[]) => void (await post(events))],
  [
    "one by one",
    async (events: object[]) => {
      for (const event of events) {
        await post(event);
        await foldAll();
      }
    },
  ],
])(
  "a metric's last value is the newest again once a trial goes on after its end: told %s",
  async (how, tell) => {
    const trial = `went on ${how}`;
    const shown = async () => (await request(`/api/trials/${await idOf(trial)}`)).body;
    await tell([
      start(trial, { occurred_at: AT }),
      point(trial, 5, 0.7, 5),
      end(trial, 0.5, 10),
      resume(trial, 20),
      point(trial, 6, 0.4, 30),
      point(trial, 10, 0.1, 40),
    ]);
    await foldAll();
    expect(await shown()).toMatchObject({
      status: "running",
      metrics: {
        loss: { last: 0.1, last_step: 10, min: 0.1, max: 0.7, count: 4 },
        acc: { last: 0.5, last_step: null, count: 1 },
      },
    });
    // What it ends with now is the last again, whatever comes after it of before.
    await tell([end(trial, 0.3, 50), point(trial, 12, 0.2, 45)]);
    await foldAll();
    expect(await shown()).toMatchObject({
      status: "succeeded",
      metrics: { loss: { last: 0.3, last_step: null, count: 6 }, acc: { last: 0.3, last_step: null } },
    });
    // An end of before the resume that comes late ends nothing, and what it says is not the last.
    await tell([resume(trial, 60), point(trial, 13, 0.25, 70), end(trial, 0.6, 9)]);
    await foldAll();
    expect(await shown()).toMatchObject({
      status: "running",
      metrics: { loss: { last: 0.25, last_step: 13 } },
    });
  },
);
