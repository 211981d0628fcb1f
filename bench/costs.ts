import { type Cost, times } from "./cost.ts";
import { countedRelay } from "./counted.ts";
import { countIdlePass, countPruning } from "./passes.ts";
import { pastStatements } from "./past.ts";
import { countRequests } from "./requests.ts";
import { measureRoom, type Room } from "./room.ts";
import { study } from "./study.ts";
import { countTurns, type Figure } from "./turns.ts";
import { countWays, type Way } from "./ways.ts";

export type Costs = {
  requests: Figure[];
  turns: Figure[];
  passes: Figure[];
  ways: Way[];
  /** A trial's start and end, with all that comes of them. */
  aTrial: Cost;
  /** Of one event, once its trial is over: confirmed, read back, pruned, and its id forgotten. */
  afterwards: Cost;
  room: Room[];
};

const PAST_TRIALS = 200_000;
const PAST_AFTER = 10_000_000;
const DAY_MS = 86_400_000;

/**
 * What requests, turns and passes of the cron cost, and what an event costs by the way it is sent, counted by D1's own
 * `meta` on the real build in local workerd, with a real MLflow behind it.
 */
export async function countCosts(
  stateDir: string,
  mlflowUri: string,
  say: (line: string) => void,
): Promise<Costs> {
  const vars = { MLFLOW_TRACKING_URI: mlflowUri, MLFLOW_DEFAULT_EXPERIMENT: "costs" };
  const single = study("turns");
  const sent = study("ways");
  const asked = study("requests");

  say("costs: turns, ways of sending, requests");
  const relay = await countedRelay(stateDir, vars);
  const idle = await countIdlePass(relay);
  const { turns, aTrial } = await countTurns(relay, single);
  await relay.post(sent.announcement);
  const ways = await countWays(relay, sent);
  await relay.stop();

  say("costs: confirming and pruning");
  const events = ways.reduce((all, way) => all + way.events, 0);
  const nothingKept = { RELAY_RETENTION_DAYS: "0", RELAY_REPEATS_KNOWN_DAYS: "0" };
  const pruning = await countedRelay(stateDir, { ...vars, ...nothingKept });
  const afterwards = times(await countPruning(pruning, idle), 1 / events);
  await pruning.stop();

  say(`costs: requests, and ${PAST_TRIALS} finished trials in the past`);
  const old = await countedRelay(stateDir, vars);
  const requests = await countRequests(old, asked);
  await old.settled();
  const at = Date.now() - DAY_MS;
  await old.run(pastStatements({ study: "past", trials: PAST_TRIALS, at, after: PAST_AFTER }));
  const passes = [
    { what: "idle", cost: idle },
    { what: `idle, ${PAST_TRIALS} finished trials behind it`, cost: await countIdlePass(old) },
  ];
  await old.stop();
  say("costs: room in the database");
  const room = await measureRoom(`${stateDir}-room`);
  return { requests, turns, passes, ways, aTrial, afterwards, room };
}
