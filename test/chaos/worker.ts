import relay from "../../src/index.ts";
import { Invocation } from "../platform/limits.ts";
import { payloads, type Sent, troubledEnv } from "./troubled-env.ts";
import { draw, Life, orders, perhapsFrozen, setTroubles, strikes, toll } from "./troubles.ts";

/**
 * The chaos entry: the relay's own handlers on a platform that fails. `/chaos` takes the harness's orders and says
 * how many messages with events in them are under way.
 */
const MAX_GROUP = 6;
const MAX_AGAIN_SECONDS = 3;

const honestFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const response = await honestFetch(input, init);
  // The whole answer is in before the standstill: it is good, and only its reader is late.
  const body = await response.arrayBuffer();
  return perhapsFrozen("fetch.freeze", new Response(body, response));
};

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/chaos") return obey(request, env);
    const life = new Life();
    const response = await relay.fetch(request, troubledEnv(new Invocation().env(env), life), ctx);
    return life.isOver ? new Response('"the invocation has died"', { status: 500 }) : response;
  },

  /**
   * The local queue hands out one batch at a time, Cloudflare's several at once. So the messages are taken from it
   * here, and each group of them is an invocation of its own. Only events are waited for: the runtime ends what goes
   * on for too long after its handler, and a poke that is lost so is one trouble more.
   */
  async queue(batch, env, ctx) {
    const waiting = [...batch.messages];
    const kept: Promise<void>[] = [];
    while (waiting.length > 0) {
      const group: Sent[] = [];
      for (let i = 0; i <= draw(MAX_GROUP) && waiting.length > 0; i++)
        group.push(...waiting.splice(draw(waiting.length), 1).map(({ body }) => body));
      const again = group.filter(() => strikes("message.twice"));
      payloads.outstanding += carried(again);
      for (const messages of [group, again]) {
        const consumed = consume(batch, messages, env);
        if (carried(messages) > 0) kept.push(consumed);
        else ctx.waitUntil(consumed);
      }
    }
    await Promise.all(kept);
    batch.ackAll();
  },

  async scheduled(controller, env) {
    await relay.scheduled(controller, troubledEnv(new Invocation().env(env), new Life()));
  },
} satisfies ExportedHandler<Env, Sent>;

async function obey(request: Request, env: Env): Promise<Response> {
  if (request.method === "POST") {
    const { seed, chances } = orders.parse(await request.json());
    setTroubles(seed, chances);
    // A pass of the cron that died holds its lock for minutes, and nobody wants to wait for these here.
    await env.DB.prepare("update locks set until = 0").run();
  }
  return Response.json({ ...payloads, ...toll() });
}

/** One invocation of the consumer. What it did not acknowledge comes again, sooner than it asked for. */
async function consume(batch: MessageBatch<Sent>, group: readonly Sent[], env: Env): Promise<void> {
  const life = new Life();
  const unsettled = new Set(group);
  const messages = group.map((body, i) => ({
    id: String(i),
    timestamp: new Date(),
    body,
    attempts: body.attempts ?? 1,
    ack: () => {
      if (!life.isOver) unsettled.delete(body);
    },
    retry: () => {},
  }));
  const queue = strikes("message.dead") ? `${batch.queue}-dlq` : batch.queue;
  const nothing = () => {};
  try {
    await relay.queue(
      { ...batch, queue, messages, ackAll: nothing, retryAll: nothing },
      troubledEnv(new Invocation().env(env), life),
    );
  } finally {
    const real = queueOf(batch.queue, env);
    for (const body of unsettled)
      await real.send(
        { ...body, attempts: (body.attempts ?? 1) + 1 },
        { delaySeconds: draw(MAX_AGAIN_SECONDS + 1) },
      );
    payloads.outstanding -= carried(group.filter((body) => !unsettled.has(body)));
  }
}

function queueOf(name: string, env: Env): Queue {
  if (name.includes("artifacts")) return env.FILES;
  return name.includes("jobs") ? env.JOBS : env.TRIALS;
}

function carried(messages: readonly Sent[]): number {
  return messages.filter(({ kind }) => kind === "journal").length;
}
