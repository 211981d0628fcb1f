import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { seeded } from "../../scripts/demo/random.ts";
import { openPostgresLab, type PostgresLab } from "../lib/lab.ts";
import type { Made, Relay } from "../lib/relay.ts";
import { until } from "../lib/until.ts";
import type { Chances } from "./troubles.ts";
import { blow, CALM, type Gust, type Server } from "./weather.ts";

/**
 * The real relay with the chaos entry; several batches of the queue at once, as Cloudflare hands them out.
 * @param made what of its start was done before
 */
export function openChaosLab(made?: Made): Promise<PostgresLab> {
  return openPostgresLab(
    {},
    {
      ...(made ? { made } : {}),
      entry: {
        main: "test/chaos/worker.ts",
        compatibility_flags: ["queue_consumer_no_wait_for_wait_until"],
      },
    },
  );
}

const CHAOS_PATH = "/chaos";
const state = z.object({ outstanding: z.number(), struck: z.number(), frozen: z.boolean() });

/**
 * Lets the gusts blow one after the other, and ends in calm.
 * @returns how often the platform failed
 */
export async function storm(lab: PostgresLab, gusts: readonly Gust[], seed: number): Promise<number> {
  const random = seeded(seed);
  let struck = 0;
  for (const [i, { ms, network, platform }] of gusts.entries()) {
    blow(lab.proxy, network, random);
    await order(lab.relay, seed + i, platform.chances);
    // The cron fails like everything else, and nobody waits for it.
    lab.relay.cron().catch(() => {});
    const { begin, end } = serverTrouble(lab, network.server);
    await begin();
    await sleep(ms);
    struck += (await chaosState(lab.relay)).struck;
    if (platform.relay === "killed") await killRelay(lab, seed + i, platform.chances);
    await end();
  }
  blow(lab.proxy, CALM.network, random);
  await order(lab.relay, seed, CALM.platform.chances);
  return struck;
}

/** What MLflow's server or its database is put through for the length of a gust. */
function serverTrouble({ postgres, ...lab }: PostgresLab, server: Server | undefined) {
  const nothing = async () => {};
  switch (server) {
    case undefined:
      return { begin: nothing, end: nothing };
    case "mlflow restarted":
      return { begin: lab.stopMlflow, end: lab.startMlflow };
    case "database restarted":
      return { begin: () => postgres.stop(), end: () => postgres.start() };
    case "read only":
      return {
        begin: () => postgres.set("default_transaction_read_only", "on"),
        end: () => postgres.reset("default_transaction_read_only"),
      };
    case "without metrics":
      return { begin: () => postgres.hide("metrics"), end: () => postgres.restore("metrics") };
    case "without tags":
      return { begin: () => postgres.hide("tags"), end: () => postgres.restore("tags") };
  }
}

/** How often the platform has failed since the last order, and what is still in its hands. */
export async function chaosState(relay: Relay) {
  return state.parse((await relay.get(CHAOS_PATH)).body);
}

async function killRelay({ relay }: PostgresLab, seed: number, chances: Chances): Promise<void> {
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
