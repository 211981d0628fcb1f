import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { foldAll, idOf, post, request } from "./api.ts";

const MINUTE_MS = 60_000;
let count = 0;

/** A trial of its own. Times are in minutes from now. */
function trial() {
  const trial_id = `standing-${++count}`;
  const ids = { model_run_id: "standing", trial_id };
  const event = (name: string, minutes: number | null, more: object) => ({
    event: name,
    ...ids,
    ...(minutes === null ? {} : { occurred_at: Date.now() + minutes * MINUTE_MS }),
    ...more,
  });
  return {
    start: (minutes: number | null, more: object = {}) =>
      event("ml.trial.start", minutes, { spectral_norm: true, ...more }),
    failed: (minutes: number | null, more: object = {}) =>
      event("ml.trial.failed", minutes, { error_message: "out of memory", ...more }),
    complete: (minutes: number | null, more: object = {}) =>
      event("ml.trial.complete", minutes, { spectral_norm: true, metrics: {}, ...more }),
    cancelled: (minutes: number | null) => event("ml.trial.cancelled", minutes, {}),
    now: async () => (await request(`/api/trials/${await idOf(trial_id)}`)).body,
    ledger: async () =>
      ledger.parse((await request(`/api/trials/${await idOf(trial_id)}/ledger`)).body).events,
  };
}

const warnings = z.array(z.object({ field: z.string(), action: z.string() }).loose());
const ledger = z.object({ events: z.array(z.object({ event_id: z.string(), warnings })) });
const answer = z.object({ event_id: z.string(), warnings: warnings.default([]) });

const said = async (body: object) => {
  const { status, body: answered } = await post(body);
  expect(status).toBe(202);
  return answer.parse(answered);
};

describe.each([
  ["before", false],
  ["after", true],
])("a resume from a machine that is behind, the words %s it folded", (_, isFolded) => {
  const settle = async () => {
    if (isFolded) await foldAll();
  };

  it("comes after every end that was accepted before it, and leaves room for the next", async () => {
    const t = trial();
    await post([t.start(-10), t.failed(0)]);
    await settle();
    expect((await said(t.start(-2, { resume: true }))).warnings).toEqual([]);
    await settle();
    expect(await t.now()).toMatchObject({ status: "running", ended_at: null });
    expect((await said(t.failed(-1.5, { error_message: "again" }))).warnings).toEqual([]);
    await settle();
    expect(await t.now()).toMatchObject({ status: "failed", fields: { error_message: "again" } });
    await post(t.start(-1.4, { resume: true }));
    await settle();
    await post(t.complete(-1));
    await settle();
    expect(await t.now()).toMatchObject({ status: "succeeded" });
  });
});

describe.each([-120, -3, 3, 120])("a trainer whose clock is %d minutes off", (off) => {
  it("ends its trial after a resume that has no time of its own, in any order", async () => {
    for (const isFolded of [false, true]) {
      const t = trial();
      const words = [
        t.start(off - 0.3),
        t.failed(off - 0.2),
        t.start(null, { resume: true }),
        t.complete(off),
      ];
      for (const word of words) {
        const { warnings: own } = await said(word);
        expect(own).toEqual([]);
        if (isFolded) await foldAll();
      }
      expect((await post(words[3])).body).toMatchObject({ duplicate: true });
      await foldAll();
      expect(await t.now()).toMatchObject({ status: "succeeded" });
    }
  });
});

describe("an end that changes nothing", () => {
  const AFTER_SUCCESS = /succeeded.* stands/;
  const rows = [
    { name: "after a success", events: ["start", "complete"], at: 0, rule: AFTER_SUCCESS },
    { name: "from before the resume", events: ["resume"], at: -20, rule: /before the resume/ },
  ] as const;
  it.each(rows)("says so in its answer and in the ledger: $name", async ({ events, at, rule }) => {
    const t = trial();
    const make = { start: t.start(-9), complete: t.complete(-5), resume: t.start(-9, { resume: true }) };
    await post(events.map((name) => make[name]));
    const unfolded = await said(t.failed(at));
    await foldAll();
    const folded = await said(t.cancelled(at - 0.5));
    await foldAll();
    const outweighed = { field: "event", rule: expect.stringMatching(rule), action: "outweighed" };
    for (const { warnings: own } of [unfolded, folded]) expect(own).toMatchObject([outweighed]);
    const kept = new Map((await t.ledger()).map((entry) => [entry.event_id, entry.warnings]));
    for (const { event_id } of [unfolded, folded]) expect(kept.get(event_id)).toMatchObject([outweighed]);
    expect([...kept.values()].flat()).toHaveLength(2);
  });

  it("says it beside what the door had to say", async () => {
    const t = trial();
    await post(t.complete(-5));
    const { event_id, warnings: own } = await said(t.failed(-1, { unheard: 1 }));
    expect(own.map(({ field }) => field)).toEqual(["unheard", "event"]);
    await foldAll();
    const entry = (await t.ledger()).find((one) => one.event_id === event_id);
    expect(entry?.warnings.map(({ field }) => field)).toEqual(["unheard", "event"]);
  });

  it("does not keep an event from being accepted where it cannot be found out", async () => {
    const t = trial();
    await post(t.complete(-5));
    await foldAll();
    const setCore = (core: string | null) =>
      env.DB.prepare("update trials set core = ?2 where trial_id = ?1").bind(`standing-${count}`, core).run();
    await setCore("{");
    expect((await said(t.failed(-1))).warnings).toEqual([]);
    await setCore(null);
  });
});

it("an older name or tag says in its answer and in the ledger that it changes nothing", async () => {
  const t = trial();
  await post([t.start(-1, { run_name: "second", tags: { team: "b" }, candidate_id: "same" })]);
  await foldAll();
  const older = { run_name: "first", tags: { team: "a", own: "x" }, candidate_id: "same" };
  const { event_id, warnings: answered } = await said(t.start(-5, older));
  expect(answered.map(({ field, action }) => [field, action])).toEqual([
    ["run_name", "outweighed"],
    ["tags.team", "outweighed"],
  ]);
  await foldAll();
  const entry = (await t.ledger()).find((one) => one.event_id === event_id);
  expect(entry?.warnings.map(({ field, action }) => [field, action])).toEqual([
    ["run_name", "outweighed"],
    ["tags.team", "outweighed"],
  ]);
  expect(await t.now()).toMatchObject({ run_name: "second", tags: { team: "b", own: "x" } });
});

it("why it failed is gone from a trial that finished after a resume", async () => {
  const t = trial();
  await post([t.start(-9), t.failed(-8, { error_type: "OOM", stacktrace: "at …" })]);
  await foldAll();
  expect(await t.now()).toMatchObject({ tags: { error_type: "OOM" }, fields: { stacktrace: "at …" } });
  await post([t.start(-7, { resume: true }), t.complete(-6)]);
  await foldAll();
  const { tags, fields } = z
    .object({ tags: z.object({}).loose(), fields: z.object({}).loose() })
    .parse(await t.now());
  for (const name of ["error_message", "error_type", "stacktrace"]) {
    expect(tags).not.toHaveProperty(name);
    expect(fields).not.toHaveProperty(name);
  }
});

it.each([300_000, 4_000_000])(
  "a failure whose texts are %d long is a failure, and what is cut says so",
  async (length) => {
    const t = trial();
    const texts = { error_message: "m".repeat(length / 2), stacktrace: "s".repeat(length / 2) };
    const end = t.failed(-1, { ...texts, metrics: { loss: 0.5 }, event_id: "large" });
    const { warnings: own } = await said(end);
    expect(own).toEqual(
      expect.arrayContaining(
        Object.keys(texts).map((field) => expect.objectContaining({ field, action: "cut" })),
      ),
    );
    expect((await post(end)).body).toMatchObject({ duplicate: true });
    await foldAll();
    expect(await t.now()).toMatchObject({
      status: "failed",
      fields: {
        error_message: expect.stringMatching(/^m{20000,}$/),
        stacktrace: expect.stringMatching(/^s{20000,}$/),
      },
    });
  },
);

it("a trial whose fields are all as large as they can be is folded and shown", async () => {
  const t = trial();
  const large = "x".repeat(240_000);
  const meta = { metadata: { text: large } };
  for (const body of [
    t.start(-9, meta),
    t.start(-9, { candidate_id: large }),
    ...[
      { stacktrace: large },
      { error_message: large },
      { error_type: large },
      { pulse_id: large },
      meta,
    ].map((more) => t.failed(-8, more)),
    ...[{ artifact_uri: large }, { warnings: [large] }, { bridge_payload: { text: large } }].map((more) =>
      t.complete(-7, more),
    ),
  ])
    expect((await post(body)).status).toBe(202);
  await foldAll();
  expect(await t.now()).toMatchObject({ status: "succeeded", counts: { undelivered_events: 10 } });
  const left = (await t.ledger()).flatMap((entry) => entry.warnings.map(({ action }) => action));
  expect(left.filter((action) => action === "cut" || action === "left_out").length).toBeGreaterThan(5);
});

it("What an older build kept of why a trial failed is gone as well when the trial goes on", async () => {
  const t = trial();
  await post([t.start(-10), t.failed(-5, { error_type: "OOM" })]);
  await foldAll();
  const key = await idOf(`standing-${count}`);
  // It had the texts among the fields, and knew of times only.
  const { core } = z
    .object({ core: z.string() })
    .parse(await env.DB.prepare("select core from trials where key = ?1").bind(key).first());
  const { reasons, lifecycle, fields, ...rest } = z
    .looseObject({
      fields: z.record(z.string(), z.unknown()),
      reasons: z.object({
        said: z.object({ failed: z.array(z.looseObject({ texts: z.record(z.string(), z.unknown()) })) }),
      }),
      lifecycle: z.object({ ends: z.object({ failed: z.array(z.looseObject({})) }) }),
    })
    .parse(JSON.parse(core));
  const [said] = reasons.said.failed;
  const texts = Object.entries(said?.texts ?? {}).map(([name, value]) => [
    name,
    { value, at: said?.at, id: said?.id },
  ]);
  const older = {
    ...rest,
    fields: { ...fields, ...Object.fromEntries(texts) },
    lifecycle: { resumedAt: null, ends: { failed: lifecycle.ends.failed[0] } },
  };
  await env.DB.prepare("update trials set core = ?2 where key = ?1").bind(key, JSON.stringify(older)).run();
  const why = { error_message: "out of memory", error_type: "OOM" };
  expect(await t.now()).toMatchObject({ status: "failed", fields: why, tags: why });
  await post(t.start(null, { resume: true }));
  await foldAll();
  const { fields: left, tags } = z
    .looseObject({ fields: z.looseObject({}), tags: z.looseObject({}) })
    .parse(await t.now());
  expect(Object.keys({ ...left, ...tags }).filter((name) => name in why)).toEqual([]);
});
