import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import worker from "../../src/index.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { idOf, post, request } from "./api.ts";
import { start } from "./payloads.ts";

/**
 * An end with a step, and neither an id nor a time: its points are known by their content, and what it says of the
 * trial is a repeat only as long as nothing else was said.
 */

const end = (trialId: string, what: "complete" | "failed" | "skipped" | "cancelled", more: object = {}) => ({
  ...start(trialId, { step: 5, metrics: { loss: 0.5 }, error_message: "no memory", ...more }),
  event: `ml.trial.${what}`,
});
const resume = (trialId: string) => start(trialId, { resume: true });

/** Each is accepted at a time of its own. */
async function send(...events: unknown[]) {
  const bodies: unknown[] = [];
  for (const event of events) {
    await scheduler.wait(3);
    bodies.push((await post(event)).body);
  }
  return bodies;
}

const trial = z.looseObject({
  status: z.string(),
  ended_at: z.string().nullable(),
  tags: z.record(z.string(), z.string()),
  counts: z.looseObject({ events: z.number(), points: z.number() }),
});

async function read(trialId: string) {
  return trial.parse((await request(`/api/trials/${await idOf(trialId)}`)).body);
}

describe("the same end again", () => {
  it("is a repeat while nothing was said in between, and is answered like the first", async () => {
    const failed = end("at once", "failed");
    const [first, ...again] = await send(failed, failed, [failed, failed]);
    const { event_id } = z.object({ event_id: z.string() }).parse(first);
    const before = await read("at once");
    expect(again).toMatchObject([
      { event_id, duplicate: true },
      {
        accepted: 0,
        duplicates: 2,
        results: [
          { event_id, duplicate: true },
          { event_id, duplicate: true },
        ],
      },
    ]);
    expect(before).toMatchObject({ status: "failed", counts: { events: 1, points: 1 } });
    const { body } = await request(`/api/trials/${await idOf("at once")}/ledger`);
    expect(body).toMatchObject({ events: [{ event_id, repeats: 3 }] });
  });

  it("after a resume ends the trial again, and brings no point twice", async () => {
    const failed = end("resumed", "failed");
    await send(failed, resume("resumed"));
    expect(await read("resumed")).toMatchObject({ status: "running" });
    const [again] = await send(failed);
    expect(again).not.toHaveProperty("duplicate");
    expect(await read("resumed")).toMatchObject({ status: "failed", counts: { events: 3, points: 1 } });
    await send(resume("resumed"), resume("resumed"), failed, failed);
    expect(await read("resumed")).toMatchObject({ status: "failed", counts: { events: 6, points: 1 } });
  });

  it("after a resume, all in one request, ends the trial again", async () => {
    const failed = end("in one", "failed");
    const [answer] = await send([failed, resume("in one"), failed, failed]);
    expect(answer).toMatchObject({ accepted: 3, duplicates: 1 });
    expect(await read("in one")).toMatchObject({ status: "failed", counts: { points: 1 } });
  });

  it("sets the tags again that another end changed", async () => {
    const a = end("tags", "complete", { tags: { stage: "a" } });
    const b = end("tags", "complete", { tags: { stage: "b" } });
    await send(a, b, a);
    expect(await read("tags")).toMatchObject({ tags: { stage: "a" }, counts: { points: 1 } });
    await send(b, b);
    expect(await read("tags")).toMatchObject({ tags: { stage: "b" }, counts: { points: 1 } });
  });

  it("is a repeat after metrics, which say nothing of the trial", async () => {
    const failed = end("metrics between", "failed");
    const late = {
      event: "ml.run.metric",
      model_run_id: "m",
      trial_id: "metrics between",
      step: 4,
      metrics: { x: 1 },
    };
    const [, , again] = await send(failed, late, failed);
    expect(again).toMatchObject({ duplicate: true });
  });
});

describe("a request that is sent again whole", () => {
  it.each([
    ["that say the same of it", {}, {}],
    ["that set a tag one after the other", { tags: { phase: "begun" } }, { tags: { phase: "done" } }],
  ])("leaves the trial's end where it was, with a start and an end %s", async (name, begun, done) => {
    const whole = [start(name, begun), end(name, "complete", done)];
    await send(whole);
    const before = await read(name);
    await send(whole, whole, [...whole, ...whole]);
    const { ended_at, status, tags, counts } = await read(name);
    expect({ ended_at, status, tags }).toEqual({
      ended_at: before.ended_at,
      status: "succeeded",
      tags: before.tags,
    });
    expect(counts.points).toBe(1);
  });

  it("ends the trial when it is said, where the trainer went on in between", async () => {
    const failed = end("went on", "failed");
    await send([start("went on"), failed]);
    const { ended_at } = await read("went on");
    await send(resume("went on"), [start("went on"), failed]);
    const after = await read("went on");
    expect(after.status).toBe("failed");
    expect(Date.parse(after.ended_at ?? "")).toBeGreaterThan(Date.parse(ended_at ?? ""));
  });
});

async function consume(...messages: RelayMessage[]) {
  const batch = createMessageBatch<RelayMessage>(
    "trial-relay-trials",
    messages.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body })),
  );
  const context = createExecutionContext();
  await worker.queue(batch, {
    ...env,
    TRIALS: {
      ...env.TRIALS,
      sendBatch: async () => ({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } }),
    },
  });
  return getQueueResult(batch, context);
}

/** Sends while the database refuses, and gives the messages that the queue got. */
async function sendRound(event: unknown): Promise<RelayMessage[]> {
  await scheduler.wait(3);
  const down = (): never => {
    throw new Error("D1_ERROR: Network connection lost.");
  };
  const sent: RelayMessage[] = [];
  const bindings = {
    DB: { ...env.DB, prepare: down, batch: down },
    TRIALS: {
      sendBatch: async (messages: { body: RelayMessage }[]) =>
        void sent.push(...messages.map(({ body }) => body)),
    },
  };
  const answer = await request("/api/events/ml", {
    method: "POST",
    body: JSON.stringify(event),
    headers: { "content-type": "application/json" },
    bindings,
  });
  expect(answer.status).toBe(202);
  return sent;
}

describe("a word that waited in the queue", () => {
  it("counts from when it was accepted: what was said again after it stands", async () => {
    const failed = end("waited", "failed", { tags: { stage: "a" } });
    const done = end("waited", "cancelled", { tags: { stage: "b" } });
    await send(failed);
    const waiting = await sendRound(done);
    const [again] = await send(failed);
    expect(again).toMatchObject({ duplicate: true });
    await consume(...waiting);
    expect(await read("waited")).toMatchObject({
      tags: { stage: "a" },
      status: "failed",
      counts: { points: 1 },
    });
    await consume(...waiting);
    expect(await read("waited")).toMatchObject({ tags: { stage: "a" }, counts: { events: 3 } });
  });

  it("moves no end where it was a start", async () => {
    const failed = end("start waited", "failed", { tags: { stage: "a" } });
    await send(failed);
    const { ended_at } = await read("start waited");
    const waiting = await sendRound(start("start waited", { tags: { stage: "b" } }));
    await send(failed);
    await consume(...waiting);
    expect(await read("start waited")).toMatchObject({ status: "failed", ended_at, tags: { stage: "a" } });
  });

  it("adds nothing when it comes twice, whatever came between", async () => {
    const failed = end("twice", "failed");
    const waiting = await sendRound(failed);
    await consume(...waiting);
    await send(resume("twice"));
    await consume(...waiting, ...waiting);
    expect(await read("twice")).toMatchObject({ status: "running", counts: { events: 2, points: 1 } });
    const repeat = await sendRound(failed);
    await consume(...repeat, ...waiting, ...repeat);
    expect(await read("twice")).toMatchObject({ status: "failed", counts: { events: 3, points: 1 } });
  });
});

/** What a trainer may say, each of them many times. */
const words = {
  a: (id: string) => end(id, "complete", { tags: { stage: "a", who: "a" } }),
  b: (id: string) => end(id, "complete", { tags: { stage: "b" }, metrics: { loss: 0.7 } }),
  failed: (id: string) => end(id, "failed"),
  resume,
} as const;
const word = fc.constantFrom("a", "b", "failed", "resume" as const);

describe("in any order", () => {
  it("sending each word again at once, or in the same request, ends the same as sending it once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        fc.array(fc.record({ word, times: fc.integer({ min: 1, max: 3 }), atOnce: fc.boolean() }), {
          minLength: 1,
          maxLength: 7,
        }),
        async (id, said) => {
          const once = `once ${id}`;
          const often = `often ${id}`;
          for (const { word, times, atOnce } of said) {
            await send(words[word](once));
            const copies = Array.from({ length: times }, () => words[word](often));
            await (atOnce ? send(copies) : send(...copies));
          }
          const [a, b] = [await read(once), await read(often)];
          expect({ status: b.status, tags: b.tags, points: b.counts.points }).toEqual({
            status: a.status,
            tags: a.tags,
            points: a.counts.points,
          });
        },
      ),
      { numRuns: 12 },
    );
  }, 120_000);
});
