import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod";
import worker from "../../src/index.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { loadUnfolded } from "../../src/store/journal/unfolded.ts";
import { foldAll, idOf, request } from "./api.ts";
import { recordingQueue } from "./job-tools.ts";
import { metric } from "./payloads.ts";
import { POINTS } from "./stored-points.ts";

/** What the database itself says no to for good is an answer about that event, and takes nobody else down. */

const ERRORS = [
  "D1_ERROR: string or blob too big: SQLITE_TOOBIG",
  "D1_ERROR: NOT NULL constraint failed: events.hash: SQLITE_CONSTRAINT",
  "D1_ERROR: malformed JSON: SQLITE_ERROR",
] as const;

/** The database, but that it refuses every transaction with an event that is marked. */
function refusing(error: string, mark = "poison"): D1Database {
  const values = new WeakMap<D1PreparedStatement, unknown[]>();
  return new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare")
        return (query: string) => {
          const statement = target.prepare(query);
          return new Proxy(statement, {
            get(inner, method) {
              if (method === "bind")
                return (...bound: unknown[]) => {
                  const made = inner.bind(...bound);
                  if (query.includes("into events")) values.set(made, bound);
                  return made;
                };
              const value: unknown = Reflect.get(inner, method);
              return typeof value === "function" ? value.bind(inner) : value;
            },
          });
        };
      if (name === "batch")
        return (statements: D1PreparedStatement[]) => {
          if (statements.some((each) => JSON.stringify(values.get(each) ?? "").includes(mark)))
            throw new Error(error);
          return target.batch(statements);
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const event = (trial: string, step: number, value: string) =>
  metric(trial, { event_id: `e${step}`, metrics: { loss: step }, step, metadata: { value } });

const send = (body: unknown, bindings: object) =>
  request("/api/events/ml", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    bindings,
  });

const DEAD = "trial-relay-trials-dlq";

async function consume(messages: unknown[], bindings: object = {}, from = "trial-relay-trials") {
  const { sent, queue } = recordingQueue();
  const batch = createMessageBatch<RelayMessage>(
    from,
    messages.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body: asSent(body) })),
  );
  const context = createExecutionContext();
  await worker.queue(batch, { ...env, TRIALS: queue, ...bindings });
  return { ...(await getQueueResult(batch, context)), sent: sent.map(({ body }) => body) };
}

/** The type says what this build sends. */
const asSent = z.custom<RelayMessage>().parse;

async function letters() {
  const { body } = await request("/api/ops/dead-letters");
  const list = z.array(z.looseObject({ id: z.number(), item: z.unknown(), reason: z.string() }));
  return z.object({ dead_letters: list }).parse(body).dead_letters;
}

/** What the queue gets when an operator replays a letter. */
async function replay(id: number | undefined) {
  const { sent, queue } = recordingQueue();
  const init = { method: "POST", bindings: { TRIALS: queue } };
  expect((await request(`/api/ops/dead-letters/${id}/replay`, init)).status).toBe(200);
  return sent.map(({ body }) => body);
}

const stepsOf = async (trial: string) =>
  (
    await env.DB.prepare(
      `select p.step from ${POINTS} p join streams s on s.id = p.stream_id where s.trial_id = ?1 order by p.step`,
    )
      .bind(trial)
      .all<{ step: number }>()
  ).results.map(({ step }) => step);

afterEach(() => env.DB.prepare("delete from dead_letters").run());

describe("an event that the database refuses for good", () => {
  it.each(ERRORS)("is answered by itself, and the others of its request are kept: %s", async (error) => {
    const trial = `http ${error}`;
    const bindings = { DB: refusing(error) };
    const poison = new Set([0, 3, 4, 9]);
    const events = Array.from({ length: 10 }, (_, i) => event(trial, i, poison.has(i) ? "poison" : "fine"));
    const { status, body } = await send(events, bindings);
    const tooLarge = error.includes("TOOBIG");
    expect(status).toBe(202);
    expect(body).toMatchObject({
      accepted: 6,
      rejected: 4,
      results: events.map((_, index) =>
        poison.has(index)
          ? {
              index,
              status: tooLarge ? 413 : 422,
              errors: [{ field: "event", rule: expect.stringContaining("cannot be kept") }],
            }
          : { index, success: true, event_id: `e${index}` },
      ),
    });
    expect(await stepsOf(trial)).toEqual([1, 2, 5, 6, 7, 8]);
    expect(await send(events[0], bindings)).toMatchObject({ status: tooLarge ? 413 : 422 });
  });

  it("in a message of the queue is a dead letter with its reason, and the rest of the message is journalled", async () => {
    const { sent, queue } = recordingQueue();
    const down = (): never => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    const events = Array.from({ length: 5 }, (_, i) => event("queued", i, i === 2 ? "poison" : "fine"));
    await send(events, { DB: { ...env.DB, prepare: down, batch: down }, TRIALS: queue });
    const messages = sent.map(({ body }) => body);
    const refuse = { DB: refusing(ERRORS[0]) };
    for (let times = 0; times < 2; times++)
      expect((await consume(messages, refuse)).explicitAcks).toHaveLength(messages.length);
    expect(await stepsOf("queued")).toEqual([0, 1, 3, 4]);

    const dead_letters = await letters();
    expect(dead_letters).toMatchObject([
      {
        kind: "message",
        item: { event_id: "e2", trial_id: "queued" },
        reason: expect.stringContaining("SQLITE_TOOBIG"),
      },
    ]);
    // Sent again by an operator, it is journalled once the database takes it.
    await consume(await replay(dead_letters[0]?.id));
    expect(await stepsOf("queued")).toEqual([0, 1, 2, 3, 4]);
  });

  it("which has the id of another one is a dead letter too, where it was acknowledged as the database was away", async () => {
    const [first, second] = await queued(event("same id", 1, "first"), {
      ...event("same id", 2, "second"),
      event_id: "e1",
    });
    // The queue gives each message twice.
    for (const events of [[first, second], [first], [second]])
      expect((await consume([{ kind: "journal", events }])).explicitAcks).toEqual(["m0"]);
    expect(await stepsOf("same id")).toEqual([1]);
    expect(await letters()).toMatchObject([
      {
        kind: "message",
        item: { event_id: "e1", trial_id: "same id" },
        reason: "its event_id was used before with another body",
      },
    ]);
  });

  it("does not keep a message going round, however many there are of it", async () => {
    const { sent, queue } = recordingQueue();
    const down = (): never => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    const events = Array.from({ length: 120 }, (_, i) => event("many", i, i % 3 === 0 ? "fine" : "poison"));
    await send(events, { DB: { ...env.DB, prepare: down, batch: down }, TRIALS: queue });
    let messages = sent.map(({ body }) => body);
    for (let rounds = 0; rounds < 20 && messages.length > 0; rounds++) {
      const done = await consume(messages, { DB: refusing(ERRORS[1]) });
      expect(done.explicitAcks).toHaveLength(messages.length);
      messages = done.sent.filter(({ kind }) => kind === "journal");
    }
    expect(messages).toEqual([]);
    expect(await stepsOf("many")).toHaveLength(40);
    expect(await env.DB.prepare("select count(*) as n from dead_letters").first("n")).toBe(80);
  });
});

/** What the queue holds of events that were sent while the database refused. */
async function queued(...events: unknown[]) {
  const { sent, queue } = recordingQueue();
  const down = (): never => {
    throw new Error("D1_ERROR: Network connection lost.");
  };
  await send(events, { DB: { ...env.DB, prepare: down, batch: down }, TRIALS: queue });
  return z
    .array(z.looseObject({}))
    .parse(sent.flatMap(({ body }) => (body.kind === "journal" ? body.events : [])));
}

describe("what another build sent, which runs beside this one or was rolled back", () => {
  it.each<[string, unknown]>([
    ["a kind that is not known", { kind: "later", events: [] }],
    ["a poke without its stream", { kind: "poke", stream: 7 }],
    ["events under another name", { kind: "journal", items: [] }],
    ["nothing", null],
    ["a text", "poke"],
  ])("comes again where it is %s, is recorded in the end, and holds up nobody", async (name, body) => {
    const events = await queued(event(name, 1, "fine"));
    const { explicitAcks, retryMessages } = await consume([body, { kind: "journal", events }]);
    expect([explicitAcks, retryMessages]).toMatchObject([["m1"], [{ msgId: "m0" }]]);
    expect(await stepsOf(name)).toEqual([1]);

    expect(await consume([body], {}, DEAD)).toMatchObject({ explicitAcks: ["m0"], sent: [] });
    const [letter] = await letters();
    expect(letter).toMatchObject({ kind: "message", item: body });
    // By the build that knows it, an operator can have it done after all.
    expect(await replay(letter?.id)).toEqual(body === null || typeof body === "string" ? [] : [body]);
  });

  it.each<[string, (event: object) => unknown]>([
    ["a field that is not known", (event) => ({ ...event, priority: 1 })],
    ["a fact that is not known", (event) => ({ ...event, facts: { pauses: true } })],
    ["a type that is not known", (event) => ({ ...event, type: "ml.trial.paused" })],
    ["points of another form", (event) => ({ ...event, points: { loss: 1 } })],
    ["no time", (event) => ({ ...event, occurredAt: undefined })],
    ["no stream", (event) => ({ ...event, stream: null })],
    ["nothing at all in it", () => null],
  ])(
    "comes again by itself where an event has %s, and its message's others are journalled",
    async (name, changed) => {
      const [first, second, third] = await queued(...[1, 2, 3].map((step) => event(name, step, "fine")));
      const strange = JSON.parse(JSON.stringify(changed(second ?? {})));
      const { explicitAcks, sent } = await consume([{ kind: "journal", events: [first, strange, third] }]);
      expect(explicitAcks).toEqual(["m0"]);
      expect(await stepsOf(name)).toEqual([1, 3]);
      const again = sent.filter((body) => body.kind === "journal");
      expect(again).toEqual([{ kind: "journal", events: [strange] }]);
      expect(await consume(again)).toMatchObject({ explicitAcks: [], retryMessages: [{ msgId: "m0" }] });

      expect(await consume([{ kind: "journal", events: [first, strange] }], {}, DEAD)).toMatchObject({
        explicitAcks: ["m0"],
        sent: [{ kind: "journal", events: [first] }],
      });
      const [letter] = await letters();
      expect(letter).toMatchObject({ reason: expect.stringContaining("does not understand") });
      expect(await replay(letter?.id)).toEqual([{ kind: "journal", events: [strange] }]);
    },
  );
});

it("What one query reads of facts is bounded by their size, and everything is folded all the same", async () => {
  const large = (i: number) => ({
    event: "ml.run.metric",
    model_run_id: "m",
    trial_id: "large",
    event_id: `large-${i}`,
    step: i,
    metrics: { loss: i },
    metadata: { text: "x".repeat(230_000) },
  });
  for (let from = 0; from < 60; from += 20)
    expect(
      await send(
        Array.from({ length: 20 }, (_, i) => large(from + i)),
        {},
      ),
    ).toMatchObject({ body: { accepted: 20 } });
  const { id } = z
    .object({ id: z.number() })
    .parse(await env.DB.prepare("select id from streams where trial_id = 'large'").first());
  const helping = await loadUnfolded(env.DB, { id, foldedSeq: 0 });
  expect(JSON.stringify(helping?.events).length).toBeLessThan(8_200_000);
  expect(helping?.more).toBe(true);
  await foldAll();
  expect((await request(`/api/trials/${await idOf("large")}`)).body).toMatchObject({
    metrics: { loss: { count: 60, last: 59 } },
    counts: { events: 60 },
  });
});
