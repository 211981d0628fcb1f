import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
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
/** A trial that ended, and goes on. */
const wentOn = (trial_id: string) => [
  start(trial_id, { occurred_at: AT }),
  point(trial_id, 5, 0.7, 5),
  end(trial_id, 0.5, 10),
  resume(trial_id, 20),
];

const ways: [string, (events: object[]) => Promise<void>][] = [
  [
    "in one request",
    async (events) => {
      await post(events);
      await foldAll();
    },
  ],
  [
    "one by one",
    async (events) => {
      for (const event of events) {
        await post(event);
        await foldAll();
      }
    },
  ],
];
const shownOf = async (trial: string) => (await request(`/api/trials/${await idOf(trial)}`)).body;

it.each(ways)(
  "a metric's last value is the newest again once a trial goes on after its end: told %s",
  async (how, tell) => {
    const trial = `went on ${how}`;
    const shown = () => shownOf(trial);
    await tell([...wentOn(trial), point(trial, 6, 0.4, 30), point(trial, 10, 0.1, 40)]);
    expect(await shown()).toMatchObject({
      status: "running",
      metrics: {
        loss: { last: 0.1, last_step: 10, min: 0.1, max: 0.7, count: 4 },
        acc: { last: 0.5, last_step: 5, count: 1 },
      },
    });
    // What it ends with now is the last again, whatever comes after it of before.
    await tell([end(trial, 0.3, 50), point(trial, 12, 0.2, 45)]);
    expect(await shown()).toMatchObject({
      status: "succeeded",
      metrics: { loss: { last: 0.3, last_step: null, count: 6 }, acc: { last: 0.3, last_step: null } },
    });
    // An end of before the resume that comes late ends nothing, and what it says is not the last.
    await tell([resume(trial, 60), point(trial, 13, 0.25, 70), end(trial, 0.6, 9)]);
    expect(await shown()).toMatchObject({
      status: "running",
      metrics: { loss: { last: 0.25, last_step: 13 } },
    });
  },
);

describe.each(ways)("told %s, the last value is the newest", (how, tell) => {
  const day = 86_400_000;
  it.each([
    ["where the events have no time", null, null],
    ["where the trainer's clock is ahead", Date.now() - AT + day / 2, Date.now() - AT + day / 2],
    ["where its clock was ahead until it went on", Date.now() - AT + day / 2, 0],
  ])("%s", async (which, ended, goes) => {
    const trial = `${how} ${which}`;
    const at = (time: number | null, ms: number) =>
      time === null ? { occurred_at: undefined } : { occurred_at: AT + time + ms };
    await tell([
      { ...start(trial), ...at(ended, 0) },
      { ...point(trial, 5, 0.7, 0), ...at(ended, 5) },
      { ...end(trial, 0.5, 0), ...at(ended, 10) },
      { ...resume(trial, 0), ...at(goes, 20) },
      { ...point(trial, 6, 0.4, 0), ...at(goes, 30) },
    ]);
    expect(await shownOf(trial)).toMatchObject({
      metrics: { loss: { last: 0.4, last_step: 6 }, acc: { last: 0.5, last_step: 5 } },
    });
  });

  it("where a point of before its end comes once it goes on", async () => {
    const trial = `${how} late`;
    await tell([...wentOn(trial), point(trial, 6, 0.1, 8)]);
    expect(await shownOf(trial)).toMatchObject({ metrics: { loss: { last: 0.5, last_step: 5, min: 0.1 } } });
  });

  it("after it went on twice", async () => {
    const trial = `${how} twice`;
    const { loss: _, ...acc } = end(trial, 1, 40).metrics;
    await tell([
      ...wentOn(trial),
      point(trial, 6, 0.4, 30),
      { ...end(trial, 1, 40), metrics: acc },
      resume(trial, 50),
    ]);
    expect(await shownOf(trial)).toMatchObject({
      metrics: { loss: { last: 0.4, last_step: 6 }, acc: { last: 1, last_step: 6 } },
    });
  });
});

it.each(ways)(
  "a metric of which nothing more is said is at the last step before the trial first went on: told %s",
  async (how, tell) => {
    const trial = `ended twice ${how}`;
    const { loss: _, ...acc } = end(trial, 1, 40).metrics;
    await tell([start(trial, { occurred_at: AT }), point(trial, 5, 0.7, 5), end(trial, 0.5, 10)]);
    await tell([
      resume(trial, 20),
      { ...point(trial, 9, 0.4, 30), metrics: { other: 1 } },
      { ...end(trial, 1, 40), metrics: acc },
      resume(trial, 50),
    ]);
    await tell([point(trial, 7, 0.3, 60)]);
    expect(await shownOf(trial)).toMatchObject({
      metrics: { loss: { last: 0.3, last_step: 7 }, acc: { last: 1, last_step: 9 } },
    });
  },
);

it("what an older build stored of a trial that went on is put right by what comes next", async () => {
  const trial = "stored before";
  await post([...wentOn(trial)]);
  await foldAll();
  await env.DB.batch([
    env.DB.prepare("update trials set core = json_remove(core, '$.goesOn')"),
    env.DB.prepare("update metric_summaries set last_step = null where last = 0.5"),
  ]);
  await post(point(trial, 6, 0.4, 30));
  await foldAll();
  expect(await shownOf(trial)).toMatchObject({
    metrics: { loss: { last: 0.4, last_step: 6 }, acc: { last: 0.5, last_step: 5 } },
  });
});
