import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import worker from "../../src/index.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { Invocation } from "../platform/limits.ts";
import { POINTS } from "./stored-points.ts";

/** Acknowledged is kept: what the router does when one of its two stores, or both, refuse. */

const down = (): never => {
  throw new Error("D1_ERROR: Network connection lost.");
};
const refusingDatabase: D1Database = {
  ...env.DB,
  prepare: down,
  batch: down,
  exec: down,
  withSession: down,
  dump: down,
};

function recordingQueue() {
  const sent: MessageSendRequest<RelayMessage>[] = [];
  const queue: Queue<RelayMessage> = {
    ...env.TRIALS,
    send: async (body) => {
      sent.push({ body });
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    },
    sendBatch: async (messages) => {
      sent.push(...messages);
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    },
  };
  return { sent, queue };
}

const refusingQueue: Queue<RelayMessage> = {
  ...env.TRIALS,
  send: () => Promise.reject(new Error("Queue send failed: 10250")),
  sendBatch: () => Promise.reject(new Error("Queue send failed: 10250")),
};

/** Answers nobody before it was asked for so many batches; `asked`: how many messages each had. */
function slowQueue(batches: number) {
  const asked: number[] = [];
  const opened = Promise.withResolvers<void>();
  const slow: Queue<RelayMessage> = {
    ...env.TRIALS,
    sendBatch: async (messages) => {
      asked.push([...messages].length);
      if (asked.length === batches) opened.resolve();
      await opened.promise;
      return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
    },
  };
  return { asked, slow };
}

function post(bindings: Env, body: object) {
  const request = new Request("http://relay/api/events/ml", {
    method: "POST",
    headers: { authorization: `Bearer ${env.ADMIN_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return Promise.resolve(worker.fetch(request, bindings, createExecutionContext()));
}

async function consume(queue: string, messages: RelayMessage[], bindings: Env = env) {
  const batch = createMessageBatch<RelayMessage>(
    queue,
    messages.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body })),
  );
  const context = createExecutionContext();
  await worker.queue(batch, bindings);
  return getQueueResult(batch, context);
}

const metric = (trial: string, step: number) => ({
  event: "ml.run.metric",
  event_id: `${trial}-${step}`,
  model_run_id: "keeping",
  trial_id: trial,
  metric_name: "loss",
  metric_value: step / 10,
  step,
  occurred_at: 1_700_000_000_000 + step,
});

const pointsOf = async (trial: string) =>
  (
    await env.DB.prepare(
      `select p.step, p.timestamp, p.value from ${POINTS} p join streams s on s.id = p.stream_id
       where s.trial_id = ? order by p.step`,
    )
      .bind(trial)
      .all()
  ).results;

describe("acknowledged is kept", () => {
  test("while the database refuses, the queue holds the events, and the consumer journals them once", async () => {
    const { sent, queue } = recordingQueue();
    const answer = await post({ ...env, DB: refusingDatabase, TRIALS: queue }, [
      metric("a", 1),
      metric("a", 2),
    ]);
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({ accepted: 2, rejected: 0 });
    expect(await pointsOf("a")).toEqual([]);

    const messages = sent.map((message) => message.body);
    const result = await consume("trial-relay-trials", [...messages, ...messages], { ...env, TRIALS: queue });
    expect(result.explicitAcks).toHaveLength(messages.length * 2);
    expect(await pointsOf("a")).toEqual([
      { step: 1, timestamp: 1_700_000_000_001, value: 0.1 },
      { step: 2, timestamp: 1_700_000_000_002, value: 0.2 },
    ]);
    // The trainer's own repeat, now that the database is back, is known.
    const again = await post({ ...env, TRIALS: queue }, [metric("a", 1)]);
    expect(await again.json()).toMatchObject({ accepted: 0, duplicates: 1 });
  });

  test("a large request goes round the database in messages that the queue can take", async () => {
    const { sent, queue } = recordingQueue();
    const events = Array.from({ length: 1_000 }, (_, step) => metric("large", step));
    const answer = await post({ ...env, DB: refusingDatabase, TRIALS: queue }, events);
    expect(answer.status).toBe(202);
    expect(sent.length).toBeGreaterThan(1);
    for (const { body } of sent) expect(JSON.stringify(body).length).toBeLessThan(128_000);
    await consume(
      "trial-relay-trials",
      sent.map((message) => message.body),
      { ...env, TRIALS: queue },
    );
    expect(await pointsOf("large")).toHaveLength(1_000);
  });

  test("when neither takes them, the answer is 503 with Retry-After, and nothing is acknowledged", async () => {
    const answer = await post({ ...env, DB: refusingDatabase, TRIALS: refusingQueue }, [metric("b", 1)]);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({ success: false, error: "unavailable" });
    expect(await pointsOf("b")).toEqual([]);
  });

  test("an event too large for a message is not acknowledged while the database refuses", async () => {
    const { sent, queue } = recordingQueue();
    const failed = {
      event: "ml.trial.failed",
      model_run_id: "keeping",
      trial_id: "c",
      error_message: "x".repeat(150_000),
    };
    const answer = await post({ ...env, DB: refusingDatabase, TRIALS: queue }, failed);
    expect(answer.status).toBe(503);
    expect(sent).toEqual([]);
  });

  test("when only the queue refuses, events are kept and the cron finds their trial", async () => {
    const answer = await post({ ...env, TRIALS: refusingQueue }, [metric("d", 1)]);
    expect(answer.status).toBe(202);
    expect(await pointsOf("d")).toHaveLength(1);
    const { sent, queue } = recordingQueue();
    await worker.scheduled(
      { cron: "*/5 * * * *", scheduledTime: Date.now(), noRetry: () => {} },
      { ...env, TRIALS: queue },
    );
    const { id } = (await env.DB.prepare("select id from streams where trial_id = 'd'").first<{
      id: number;
    }>()) ?? { id: -1 };
    expect(sent.map((message) => message.body)).toContainEqual({ kind: "poke", streamId: id });
  });

  test("the database still refusing, the consumer has the message come again", async () => {
    const { sent, queue } = recordingQueue();
    await post({ ...env, DB: refusingDatabase, TRIALS: queue }, [metric("e", 1)]);
    const result = await consume(
      "trial-relay-trials",
      sent.map((m) => m.body),
      { ...env, DB: refusingDatabase, TRIALS: queue },
    );
    expect(result.explicitAcks).toEqual([]);
    expect(result.retryMessages).toMatchObject([{ msgId: "m0" }]);
  });

  test("events that reach the dead-letter queue go round again; a dead poke is recorded and sent again", async () => {
    const { sent, queue } = recordingQueue();
    await post({ ...env, DB: refusingDatabase, TRIALS: queue }, [metric("f", 1)]);
    const dead = sent.map((message) => message.body);
    const again = recordingQueue();
    const result = await consume("trial-relay-trials-dlq", [...dead, { kind: "poke", streamId: 1 }], {
      ...env,
      TRIALS: again.queue,
    });
    expect(result.explicitAcks).toHaveLength(2);
    expect(again.sent.map((message) => message.body)).toEqual([...dead, { kind: "poke", streamId: 1 }]);
    const letters = await env.DB.prepare("select kind, item from dead_letters").all();
    expect(letters.results).toEqual([{ kind: "message", item: '{"kind":"poke","streamId":1}' }]);
  });
});

test("however many events of another build's a dead message brings, all of them are recorded in one invocation", async () => {
  const events = Array.from({ length: 600 }, (_, n) => ({ another: n }));
  const bodies = [events, events.toReversed()].map(
    (part): RelayMessage => ({ kind: "journal", events: part }),
  );
  const result = await consume("trial-relay-trials-dlq", bodies, new Invocation().env(env));
  expect(result).toMatchObject({ explicitAcks: ["m0", "m1"], retryMessages: [] });
  const query =
    "select count(*) as n, count(distinct item) as items from dead_letters where item like '%another%'";
  expect(await env.DB.prepare(query).first()).toEqual({ n: 600, items: 600 });
});

test("the pokes of a request with many trials wait for a slow queue together, not one batch after the other", async () => {
  const { asked, slow } = slowQueue(4);
  const events = Array.from({ length: 350 }, (_, i) => metric(`trial-${i}`, 1));
  const logged = vi.spyOn(console, "warn");
  const answer = await post({ ...env, TRIALS: slow }, events);
  expect(answer.status).toBe(202);
  expect(asked).toEqual([100, 100, 100, 50]);
  expect(logged).not.toHaveBeenCalled();
});

test("events that the queue holds for the database wait for it together as well", async () => {
  const { asked, slow } = slowQueue(3);
  const host = "n".repeat(4_000);
  const events = Array.from({ length: 150 }, (_, i) => ({ ...metric(`large-${i}`, 1), metadata: { host } }));
  const answer = await post({ ...env, DB: refusingDatabase, TRIALS: slow }, events);
  expect(answer.status).toBe(202);
  expect(asked).toHaveLength(3);
});

test("a wrong setting stops the Worker with one message that names the variable", async () => {
  const wrong = { ...env, MLFLOW_REQUEST_TIMEOUT: "soon" };
  const answer = await post(wrong, [metric("g", 1)]);
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({
    error: "misconfigured",
    detail: 'MLFLOW_REQUEST_TIMEOUT must be a whole number from 100 to 120000, got "soon"',
  });
});
