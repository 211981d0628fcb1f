import { pick, type Random, seeded } from "../../scripts/demo/random.ts";
import { FAULTS, type Fault, type FaultProxy } from "../lib/fault-proxy.ts";
import { POISON } from "./traffic.ts";
import type { Chances } from "./troubles.ts";

/** What goes wrong with calls to MLflow, for a while. */
export type Network = { name: string; rules: { chance: number; fault: Fault }[]; mlflow?: "restarted" };
/** What goes wrong with the platform, for a while. */
export type Platform = { name: string; chances: Chances; relay?: "killed" };
export type Gust = { ms: number; network: Network; platform: Platform };

/** After the relay's timeout of 2 s, within the 4 s in which it expects a late effect. */
const STALL: Fault = { kind: "stall", ms: 2_800 };

const CALM_NETWORK: Network = { name: "calm", rules: [] };
const NETWORKS: readonly [Network, ...Network[]] = [
  {
    name: "500, 503, 502, QueuePool 400",
    rules: [
      { chance: 0.2, fault: FAULTS.internalError },
      { chance: 0.2, fault: FAULTS.unavailable },
      { chance: 0.1, fault: FAULTS.badGateway },
      { chance: 0.2, fault: FAULTS.queuePool },
    ],
  },
  { name: "429", rules: [{ chance: 0.5, fault: FAULTS.tooMany(1) }] },
  { name: "HTML 403", rules: [{ chance: 1, fault: FAULTS.forbidden }] },
  {
    name: "resets before and after the commit",
    rules: [
      { chance: 0.25, fault: FAULTS.refuse },
      { chance: 0.35, fault: FAULTS.cut },
    ],
  },
  { name: "stalls that land", rules: [{ chance: 0.3, fault: STALL }] },
  { name: "drops", rules: [{ chance: 0.3, fault: FAULTS.drop }] },
  { name: "MLflow restarted", rules: [], mlflow: "restarted" },
  CALM_NETWORK,
];

const CALM_PLATFORM: Platform = { name: "calm", chances: {} };
const PLATFORMS: readonly [Platform, ...Platform[]] = [
  { name: "D1 flaky", chances: { "d1.refuse": 0.05, "d1.lose": 0.05, "d1.late": 0.01 } },
  { name: "D1 down", chances: { "d1.refuse": 1 } },
  { name: "D1 and queue flaky", chances: { "d1.refuse": 0.2, "queue.refuse": 0.5, "queue.lose": 0.1 } },
  { name: "queue hangs", chances: { "queue.late": 0.3, "queue.refuse": 0.2, "queue.lose": 0.2 } },
  {
    name: "messages twice, late, dead",
    chances: { "message.twice": 0.4, "message.late": 0.5, "message.dead": 0.1 },
  },
  { name: "invocations die", chances: { "invocation.dies": 0.5 } },
  {
    name: "frozen past the lease",
    chances: { "fetch.freeze": 0.1, "d1.freeze": 0.03, "intent.freeze": 0.3, "message.twice": 0.3 },
  },
  { name: "relay killed", chances: { "payload.refuse": 1 }, relay: "killed" },
];

/** Every second create finds its lease gone, if it looks. */
export const FROZEN_CREATES: readonly Gust[] = Array.from({ length: 3 }, () => ({
  ms: 3_000,
  network: CALM_NETWORK,
  platform: { name: "frozen creates", chances: { "intent.freeze": 0.5, "message.twice": 0.5 } },
}));

/** What heals nothing: items that MLflow never takes. */
export const POISONED = { path: "runs/log-batch", body: `"${POISON}` };

/** The faults of a round, one after the other, each of the platform's beside one of the network's. */
export function makeStorm(seed: number, gusts: number): Gust[] {
  const random = seeded(seed);
  const networks = decks(random, NETWORKS, gusts);
  const platforms = decks(random, PLATFORMS, gusts);
  return networks.map((network, i) => ({
    ms: 1_000 + Math.floor(random() * 2_000),
    network,
    platform: platforms[i] ?? CALM_PLATFORM,
  }));
}

/** Only what MLflow and the network do, for those who have no relay. */
export function makeNetworkStorm(seed: number, gusts: number): Gust[] {
  return makeStorm(seed, gusts).map((gust) => ({ ...gust, platform: CALM_PLATFORM }));
}

/** Sets the faults of the network; poison stays poison in any weather. */
export function blow(proxy: FaultProxy, network: Network, random: Random): void {
  proxy.heal();
  for (const { chance, fault } of network.rules) proxy.fail({ when: () => random() < chance }, fault);
  proxy.fail(POISONED, FAULTS.invalidParameter);
}

export const CALM: Gust = { ms: 0, network: CALM_NETWORK, platform: CALM_PLATFORM };

/** Draws without repeating until all have come. */
function decks<T>(random: Random, cards: readonly [T, ...T[]], count: number): T[] {
  let deck: T[] = [];
  return Array.from({ length: count }, () => {
    if (deck.length === 0) deck = [...cards];
    const [first, ...rest] = deck;
    const card = first === undefined ? cards[0] : pick(random, [first, ...rest]);
    deck.splice(deck.indexOf(card), 1);
    return card;
  });
}
