import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { seeded } from "../../scripts/demo/random.ts";
import { type Lab, openLab } from "../lib/lab.ts";
import type { Relay } from "../lib/relay.ts";
import { until } from "../lib/until.ts";
import type { Chances } from "./troubles.ts";
import { blow, CALM, type Gust } from "./weather.ts";

/** The real relay with the chaos entry; several batches of the queue at once, as Cloudflare hands them out. */
export function openChaosLab(): Promise<Lab> {
  return openLab(
    {},
    { main: "test/chaos/worker.ts", compatibility_flags: ["queue_consumer_no_wait_for_wait_until"] },
  );
}

const CHAOS_PATH = "/chaos";
const state = z.object({ outstanding: z.number(), struck: z.number(), frozen: z.boolean() });

/**
 * Lets the gusts blow one after the other, and ends in calm.
 * @returns how often the platform failed
 */
export async function storm(lab: Lab, gusts: readonly Gust[], seed: number): Promise<number> {
  const random = seeded(seed);
  let struck = 0;
  for (const [i, { ms, network, platform }] of gusts.entries()) {
    blow(lab.proxy, network, random);
    await order(lab.relay, seed + i, platform.chances);
    // The cron fails like everything else, and nobody waits for it.
    lab.relay.cron().catch(() => {});
    if (network.mlflow === "restarted") await lab.stopMlflow();
    await sleep(ms);
    struck += (await chaosState(lab.relay)).struck;
    if (platform.relay === "killed") await killRelay(lab, seed + i, platform.chances);
    if (network.mlflow === "restarted") await lab.startMlflow();
  }
  blow(lab.proxy, CALM.network, random);
  await order(lab.relay, seed, CALM.platform.chances);
  return struck;
}

/** How often the platform has failed since the last order, and what is still in its hands. */
export async function chaosState(relay: Relay) {
  return state.parse((await relay.get(CHAOS_PATH)).body);
}

async function killRelay({ relay }: Lab, seed: number, chances: Chances): Promise<void> {
  // The local queue is memory only: what is acknowledged must not be there alone. No more gets in meanwhile.
  await until("no events are in the queue", async () => (await chaosState(relay)).outstanding === 0);
  await relay.kill();
  await relay.restart();
  await order(relay, seed, chances);
  await relay.cron();
}

async function order(relay: Relay, seed: number, chances: Chances): Promise<void> {
  const { status } = await relay.post(JSON.stringify({ seed, chances }), "application/json", CHAOS_PATH);
  if (status !== 200) throw new Error(`the chaos entry answered ${status}`);
}
