import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { type Cost, minus, NO_COST, plus } from "./cost.ts";
import { type BenchRelay, benchRelay } from "./relay.ts";

const cost = z.object({
  invocations: z.number(),
  statements: z.number(),
  roundTrips: z.number(),
  rowsRead: z.number(),
  rowsWritten: z.number(),
  sqlMs: z.number(),
  queueOperations: z.number(),
});
const counts = z.object({ request: cost, queue: cost, cron: cost });
export type Counts = z.infer<typeof counts>;

const COUNT = { "x-bench-count": "1" };
const POLL_MS = 500;
/** Longer than the gather window and the local queue's waits: after it nothing more comes by itself. */
const STILL_MS = 4_000;

export type CountedRelay = BenchRelay & {
  /** Runs statements in the relay's database. */
  run(statements: readonly string[]): Promise<void>;
  /** Resolves when the consumer has been idle for longer than anything waits. */
  still(): Promise<void>;
  /** What `work` costs, from one stillness to the next; its requests are counted if they carry these headers. */
  count(work: (headers: Record<string, string>) => Promise<unknown>): Promise<Counts>;
  /** What `work` costs by itself, whatever comes of it. */
  countNow(work: (headers: Record<string, string>) => Promise<unknown>): Promise<Counts>;
  /** Sends events that are counted. */
  postCounted(events: object | object[]): Promise<void>;
};

/** The relay on bindings that count. */
export async function countedRelay(stateDir: string, vars: Record<string, string>): Promise<CountedRelay> {
  const relay = await benchRelay(stateDir, vars, { main: "bench/worker.ts" });
  const taken = async () => counts.parse(JSON.parse(await relay.ask("/bench")));
  async function still(): Promise<void> {
    let seen = (await taken()).queue.invocations;
    for (let stillMs = 0; stillMs < STILL_MS; stillMs += POLL_MS) {
      await sleep(POLL_MS);
      const now = (await taken()).queue.invocations;
      if (now !== seen) stillMs = 0;
      seen = now;
    }
  }
  return {
    ...relay,
    async run(statements) {
      await relay.ask("/bench", { method: "POST", body: JSON.stringify(statements) });
    },
    still,
    async count(work) {
      const before = await taken();
      await work(COUNT);
      await still();
      return between(before, await taken());
    },
    async countNow(work) {
      const before = await taken();
      await work(COUNT);
      return between(before, await taken());
    },
    postCounted: (events) => relay.post(events, COUNT),
  };
}

function between(before: Counts, after: Counts): Counts {
  return {
    request: minus(after.request, before.request),
    queue: minus(after.queue, before.queue),
    cron: minus(after.cron, before.cron),
  };
}

/** Of all kinds of invocation together. */
export const sum = (counted: Counts): Cost =>
  [counted.request, counted.queue, counted.cron].reduce(plus, NO_COST);
