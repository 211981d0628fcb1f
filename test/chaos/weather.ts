import { pick, type Random, seeded } from "../../scripts/demo/random.ts";
import { afterCommit, FAULTS, type Fault, type FaultProxy } from "../lib/fault-proxy.ts";
import { POISON } from "./traffic.ts";
import type { Chances } from "./troubles.ts";

/** What goes wrong with calls to MLflow, for a while. */
export type Network = { name: string; rules: NetworkRule[]; server?: Server };
type NetworkRule = { chance: number; fault: Fault | ((random: Random) => Fault); path?: readonly string[] };
/** What goes wrong with MLflow itself, or with its database. */
export type Server =
  | "mlflow restarted"
  | "database restarted"
  | "read only"
  | "without metrics"
  | "without tags";
/** What goes wrong with the platform, for a while. */
export type Platform = { name: string; chances: Chances; relay?: "killed" };
export type Gust = { ms: number; network: Network; platform: Platform };

const WRITES = [
  "experiments/create",
  "runs/create",
  "runs/log-batch",
  "runs/set-tag",
  "runs/delete-tag",
  "runs/update",
];

/** After the relay's timeout of 2 s, within the 4 s in which it expects a late effect. */
const late = (random: Random): Fault => ({ kind: "stall", ms: 2_100 + Math.floor(random() * 1_300) });
const DAY_SECONDS = 86_400;

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
  { name: "Retry-After of a day", rules: [{ chance: 0.3, fault: FAULTS.tooMany(DAY_SECONDS) }] },
  { name: "HTML 403", rules: [{ chance: 1, fault: FAULTS.forbidden }] },
  {
    name: "resets before and after the commit",
    rules: [
      { chance: 0.25, fault: FAULTS.refuse },
      { chance: 0.35, fault: FAULTS.cut },
    ],
  },
  {
    name: "errors after the commit",
    rules: [
      { chance: 0.2, fault: afterCommit(FAULTS.unavailable), path: WRITES },
      { chance: 0.2, fault: afterCommit(FAULTS.internalError), path: WRITES },
      { chance: 0.1, fault: afterCommit(FAULTS.badGateway), path: WRITES },
      { chance: 0.1, fault: afterCommit(FAULTS.html(200)), path: WRITES },
    ],
  },
  { name: "writes that land late", rules: [{ chance: 0.35, fault: late, path: WRITES }] },
  { name: "anything late", rules: [{ chance: 0.25, fault: late }] },
  { name: "drops", rules: [{ chance: 0.3, fault: FAULTS.drop }] },
  { name: "requests sent twice", rules: [{ chance: 0.4, fault: FAULTS.twice, path: WRITES }] },
  {
    name: "answers of something between",
    rules: [403, 404, 400, 409, 200]
      .map((status): Fault => FAULTS.html(status))
      .concat(FAULTS.unauthorized, FAULTS.redirect, FAULTS.empty, FAULTS.otherRoute)
      .map((fault) => ({ chance: 0.05, fault })),
  },
  {
    name: "batches taken by nobody",
    rules: [
      { chance: 0.3, fault: FAULTS.lie, path: ["runs/log-batch"] },
      { chance: 0.1, fault: FAULTS.otherRoute, path: ["runs/log-batch"] },
    ],
  },
  {
    name: "a standby among the databases",
    rules: [
      { chance: 0.4, fault: FAULTS.readOnly, path: WRITES },
      { chance: 0.1, fault: FAULTS.undefinedTable },
    ],
  },
  { name: "database read only", rules: [], server: "read only" },
  { name: "migration of metrics", rules: [], server: "without metrics" },
  { name: "migration of tags", rules: [], server: "without tags" },
  { name: "database restarted", rules: [], server: "database restarted" },
  { name: "MLflow restarted", rules: [], server: "mlflow restarted" },
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
    ms: 1_500 + Math.floor(random() * 2_500),
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
  for (const { chance, fault, path } of network.rules)
    proxy.fail(
      { when: () => random() < chance, ...(path ? { path } : {}) },
      typeof fault === "function" ? () => fault(random) : fault,
    );
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
