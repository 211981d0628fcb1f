import type { RelayMessage } from "../../src/relay/messages.ts";
import { draw, type Freeze, type Life, strikes } from "./troubles.ts";

/** A message as the chaos entry sends it: it counts its deliveries itself. */
export type Sent = RelayMessage & { attempts?: number };

const MAX_LATE_SECONDS = 5;
/** The statement that stores the intent to create a run. */
const INTENT = /^update "streams" .*"create_nonce" = /;

/** Messages with events in them that are somewhere between being sent and being settled. */
export const payloads = { outstanding: 0 };

/** The Worker's environment, with stores that fail. */
export function troubledEnv(env: Env, life: Life): Env {
  return {
    ...env,
    DB: troubledDatabase(env.DB, life),
    TRIALS: troubledQueue(env.TRIALS, life),
    JOBS: troubledQueue(env.JOBS, life),
    FILES: troubledQueue(env.FILES, life),
  };
}

function troubledDatabase(db: D1Database, life: Life): D1Database {
  // D1 looks into the statements of a batch, so it must get its own back.
  const inner = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const troubled = (statement: D1PreparedStatement, freeze: Freeze): D1PreparedStatement => {
    const outer = new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => troubled(target.bind(...values), freeze);
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) =>
          life.effect("d1", async () => Reflect.apply(member, target, args), freeze);
      },
    });
    inner.set(outer, statement);
    return outer;
  };
  return new Proxy(db, {
    get(target, name) {
      if (name === "prepare")
        return (query: string) =>
          troubled(target.prepare(query), INTENT.test(query) ? "intent.freeze" : "d1.freeze");
      if (name === "batch")
        return (statements: D1PreparedStatement[]) =>
          life.effect("d1", () => target.batch(statements.map((one) => inner.get(one) ?? one)), "d1.freeze");
      return member(target, name);
    },
  });
}

function troubledQueue(queue: Queue<Sent>, life: Life): Queue<Sent> {
  const post = (requests: MessageSendRequest<Sent>[]) =>
    life.effect("queue", async () => {
      const carried = requests.filter(({ body }) => body.kind === "journal").length;
      if (carried > 0 && strikes("payload.refuse")) throw new Error("chaos: the queue takes no events");
      const result = await queue.sendBatch(requests.map(perhapsLate));
      payloads.outstanding += carried;
      return result;
    });
  return new Proxy(queue, {
    get(target, name) {
      if (name === "send") return (body: Sent, options?: QueueSendOptions) => post([{ ...options, body }]);
      if (name === "sendBatch") return (requests: Iterable<MessageSendRequest<Sent>>) => post([...requests]);
      return member(target, name);
    },
  });
}

/** Messages that wait differently long overtake one another. */
function perhapsLate(request: MessageSendRequest<Sent>): MessageSendRequest<Sent> {
  if (!strikes("message.late")) return request;
  return { ...request, delaySeconds: (request.delaySeconds ?? 0) + draw(MAX_LATE_SECONDS + 1) };
}

/** A member of the platform's own object, which refuses to work for a proxy. */
function member(target: object, name: string | symbol): unknown {
  const found: unknown = Reflect.get(target, name);
  return typeof found === "function" ? found.bind(target) : found;
}
