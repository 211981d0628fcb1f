import { databaseAround } from "../../src/store/database/around.ts";

/**
 * The limits of Cloudflare that the local runtime does not keep, kept for one invocation: what goes beyond them throws
 * as it would there, or where the platform would only make it wait.
 */
const MAX_STATEMENTS = 1_000;
const MAX_PARAMETERS = 100;
const MAX_SQL_BYTES = 100_000;
const MAX_VALUE_BYTES = 2_000_000;
const MAX_RESULT_BYTES = 50_000_000;
const MAX_MESSAGE_BYTES = 128_000;
/** Of a message's 128 kB the platform takes so many for itself. */
const METADATA_BYTES = 100;
const MAX_BATCH_BYTES = 256_000;
const MAX_BATCH_MESSAGES = 100;
const MAX_CONNECTIONS = 6;
const MAX_WALL_MS = 15 * 60_000;

type Fetch = (url: string, init: RequestInit) => Promise<Response>;
type Sendable = Pick<Queue, "send" | "sendBatch">;

/** One invocation, and what it has taken so far. */
export class Invocation {
  statements = 0;
  readonly #now: () => number;
  readonly #startedAt: number;
  #connections = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** The environment with its database and its queues under their limits. */
  env<E extends { DB: D1Database; TRIALS: Sendable; JOBS: Sendable; FILES: Sendable }>(env: E): E {
    return {
      ...env,
      DB: this.database(env.DB),
      TRIALS: this.#queue(env.TRIALS),
      JOBS: this.#queue(env.JOBS),
      FILES: this.#queue(env.FILES),
    };
  }

  /** A connection is open from the call until its answer was read. */
  fetch(real: Fetch): Fetch {
    return async (url, init) => {
      this.#checkClock();
      if (this.#connections >= MAX_CONNECTIONS) throw new Error(`more than ${MAX_CONNECTIONS} connections`);
      this.#connections++;
      try {
        const response = await real(url, init);
        return new Response(await response.arrayBuffer(), response);
      } finally {
        this.#connections--;
      }
    };
  }

  #checkClock(): void {
    if (this.#now() - this.#startedAt > MAX_WALL_MS) throw new Error("exceeded its time on the clock");
  }

  #begin(sql: string, values: readonly unknown[]): void {
    this.#checkClock();
    if (++this.statements > MAX_STATEMENTS)
      throw new Error("D1_ERROR: Too many API requests by single Worker invocation.");
    if (values.length > MAX_PARAMETERS) throw new Error("D1_ERROR: too many SQL variables: SQLITE_ERROR");
    if (bytesOf(sql) > MAX_SQL_BYTES) throw new Error("D1_ERROR: statement too long: SQLITE_TOOBIG");
    if (values.some((value) => typeof value === "string" && bytesOf(value) > MAX_VALUE_BYTES))
      throw new Error("D1_ERROR: string or blob too big: SQLITE_TOOBIG");
  }

  /** The database under its limits. */
  database(real: D1Database): D1Database {
    return databaseAround(real, async (parts, work) => {
      for (const { sql, values } of parts) this.#begin(sql, values);
      return checked(await work());
    });
  }

  #queue<Q extends Sendable>(real: Q): Q {
    const check = (requests: readonly { body: unknown }[]) => {
      this.#checkClock();
      const sizes = requests.map(({ body }) => bytesOf(JSON.stringify(body)) + METADATA_BYTES);
      if (sizes.some((size) => size > MAX_MESSAGE_BYTES)) throw new Error("message too large (10204)");
      if (requests.length > MAX_BATCH_MESSAGES) throw new Error("too many messages in a batch (10206)");
      if (sizes.reduce((sum, size) => sum + size, 0) > MAX_BATCH_BYTES)
        throw new Error("batch too large (10205)");
    };
    return new Proxy(real, {
      get: (target, name) => {
        if (name === "send")
          return async (body: unknown, options?: QueueSendOptions) => {
            check([{ body }]);
            return target.send(body, options);
          };
        if (name === "sendBatch")
          return async (requests: Iterable<MessageSendRequest>) => {
            const all = [...requests];
            check(all);
            return target.sendBatch(all);
          };
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }
}

function checked<T>(result: T): T {
  if (bytesOf(JSON.stringify(result) ?? "") > MAX_RESULT_BYTES) throw new Error("D1_ERROR: result too large");
  return result;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
