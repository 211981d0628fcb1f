import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { type Random, seeded } from "../../scripts/demo/random.ts";
import type { Answer, Relay } from "../lib/relay.ts";
import type { Traffic } from "./traffic.ts";

const MAX_TRIES = 12;
const RETRY_MS = 400;
const taken = z.object({ results: z.array(z.object({ success: z.boolean() })) });

/** What the relay said: indices of reports that it acknowledged, and of those it called wrong. */
export type Heard = { acknowledged: Set<number>; refused: Set<number> };

/** Sends all traffic as two clients at once, over about `ms`. A request that keeps failing is given up. */
export async function sendTraffic(relay: Relay, traffic: Traffic, seed: number, ms: number): Promise<Heard> {
  const heard: Heard = { acknowledged: new Set(), refused: new Set() };
  await Promise.all(
    traffic.deliveries.map(async (requests, client) => {
      const random = seeded(seed + client);
      for (const request of requests) {
        await deliver(relay, traffic, request, heard, random);
        await sleep((ms / requests.length) * 2 * random());
      }
    }),
  );
  return heard;
}

async function deliver(
  relay: Relay,
  { reports }: Traffic,
  request: number[],
  { acknowledged, refused }: Heard,
  random: Random,
): Promise<void> {
  const events = request.flatMap((index) => reports[index]?.event ?? []);
  const lines = random() < 0.3;
  const body = lines ? events.map((event) => JSON.stringify(event)).join("\n") : JSON.stringify(events);
  const tries = 1 + Math.floor(random() * MAX_TRIES);
  for (let i = 0; i < tries; i++) {
    const answer = await post(relay, body, lines);
    const results = taken.safeParse(answer?.body);
    if (answer?.status === 202 && results.success) {
      for (const [i, { success }] of results.data.results.entries())
        (success ? acknowledged : refused).add(request[i] ?? -1);
      return;
    }
    await sleep(RETRY_MS);
  }
}

/** Null when the connection broke, or what came was no answer of the relay. */
export async function post(relay: Relay, body: string, lines: boolean): Promise<Answer | null> {
  try {
    return await (lines ? relay.post(body, "application/x-ndjson") : relay.post(body));
  } catch {
    return null;
  }
}
