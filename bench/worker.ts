import * as z from "zod";
import relay from "../src/index.ts";
import { type Meter, metered } from "../test/worker/metered.ts";
import type { Cost } from "./cost.ts";

/**
 * The bench's entry: the relay's own handlers on bindings that count. `GET /bench` says what was counted since the
 * start, by kind of invocation; `POST /bench` runs statements, as to fill the database with a past.
 *
 * A request is counted when it asks for that: counting reads everything twice, and the others are timed.
 */
const COUNT_HEADER = "x-bench-count";
const OPERATION_BYTES = 64_000;

const statements = z.array(z.string());

type Counter = { env: Env; meter: Meter; invocations: number; queueOperations: number };

let counters: Record<"request" | "queue" | "cron", Counter> | null = null;

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/bench") return answer(request, env);
    if (!request.headers.has(COUNT_HEADER)) return relay.fetch(request, env, ctx);
    const counter = countersOf(env).request;
    counter.invocations++;
    return relay.fetch(request, counter.env, ctx);
  },

  async queue(batch, env) {
    const counter = countersOf(env).queue;
    counter.invocations++;
    for (const { body } of batch.messages) counter.queueOperations += operations(body);
    await relay.queue(batch, counter.env);
  },

  async scheduled(controller, env) {
    const counter = countersOf(env).cron;
    counter.invocations++;
    await relay.scheduled(controller, counter.env);
  },
} satisfies ExportedHandler<Env, Parameters<typeof relay.queue>[0]["messages"][number]["body"]>;

async function answer(request: Request, env: Env): Promise<Response> {
  if (request.method === "POST") {
    const queries = statements.parse(await request.json());
    await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
  }
  const { request: asked, queue, cron } = countersOf(env);
  return Response.json({ request: costOf(asked), queue: costOf(queue), cron: costOf(cron) });
}

function countersOf(env: Env) {
  counters ??= { request: counterOn(env), queue: counterOn(env), cron: counterOn(env) };
  return counters;
}

function counterOn(env: Env): Counter {
  const { db, meter } = metered(env.DB);
  const counter: Counter = { env, meter, invocations: 0, queueOperations: 0 };
  counter.env = {
    ...env,
    DB: db,
    TRIALS: counted(env.TRIALS, counter),
    JOBS: counted(env.JOBS, counter),
    FILES: counted(env.FILES, counter),
  };
  return counter;
}

/** A message sent is written once, and deleted once in the end. */
function counted(queue: Queue, counter: Counter): Queue {
  return {
    metrics: () => queue.metrics(),
    send: (body, options) => {
      counter.queueOperations += 2 * operations(body);
      return queue.send(body, options);
    },
    sendBatch: (requests, options) => {
      const all = [...requests];
      for (const { body } of all) counter.queueOperations += 2 * operations(body);
      return queue.sendBatch(all, options);
    },
  };
}

function operations(body: unknown): number {
  return Math.ceil(new TextEncoder().encode(JSON.stringify(body)).length / OPERATION_BYTES);
}

function costOf({ meter, invocations, queueOperations }: Counter): Cost {
  const { statements, roundTrips, rowsRead, rowsWritten, sqlMs } = meter;
  return { invocations, statements, roundTrips, rowsRead, rowsWritten, sqlMs, queueOperations };
}
