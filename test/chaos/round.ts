import type { Lab } from "../lib/lab.ts";
import type { Behind } from "../lib/relay-store.ts";
import { until } from "../lib/until.ts";
import { chaosState, storm } from "./storm.ts";
import { makeTraffic } from "./traffic.ts";
import { sendTraffic } from "./trainers.ts";
import { judge, type Verdict } from "./verdict.ts";
import type { Gust } from "./weather.ts";

export type Round = Verdict & {
  seed: number;
  /** Calls that the proxy spoilt, and strokes of the platform. */
  faults: number;
  conflicts: number;
  calls: number;
  drainMs: number;
  /** What broke a promise; empty when all is well. */
  problems: string[];
};
export type Size = { trials: number; steps: number };

const MS_A_GUST = 2_500;
const CRON_MS = 10_000;
const DRAIN_LIMIT_MS = 180_000;

/** Traffic through a storm, calm, the backlog drained, and the verdict. The same schedule for the same seed. */
export async function playRound(lab: Lab, seed: number, size: Size, gusts: readonly Gust[]): Promise<Round> {
  const experiment = `chaos ${seed}`;
  const traffic = makeTraffic(seed, experiment, size);
  const callsBefore = lab.proxy.calls.length;
  // In calm, for it names the experiment, and a run made without it cannot move.
  await lab.relay.send(traffic.announcement);
  const [heard, struck] = await Promise.all([
    sendTraffic(lab.relay, traffic, seed, gusts.length * MS_A_GUST),
    storm(lab, gusts, seed),
  ]);
  const calm = Date.now();
  await drain(lab, experiment);
  const drainMs = Date.now() - calm;
  // An event after the storm flows, and the cron's last look at unanswered creates has been.
  const after = makeTraffic(seed, `${experiment}, after`, { trials: 1, steps: 1 });
  await lab.relay.send([after.announcement, ...after.reports.map(({ event }) => event)]);
  await drain(lab, `${experiment}, after`);
  const { store } = lab.relay;
  const verdict = await judge(
    lab.mlflow,
    experiment,
    traffic.reports,
    heard.acknowledged,
    store.deadLetters(experiment),
  );
  const conflicts = store.conflicts(experiment);
  const { missing, doubled, wrong, extraRuns, deadInVain } = verdict;
  const problems = [
    ...missing.map((item) => `missing: ${item}`),
    ...doubled.map((item) => `doubled: ${item}`),
    ...wrong.map((item) => `wrong: ${item}`),
    ...extraRuns.map((run) => `extra run: ${run}`),
    ...deadInVain.map((item) => `set aside without need: ${item}`),
    ...conflicts.map((conflict) => `conflict: ${JSON.stringify(conflict)}`),
    ...[...heard.refused].map((index) => `refused: ${JSON.stringify(traffic.reports[index]?.event)}`),
  ];
  const calls = lab.proxy.calls.slice(callsBefore);
  const faults = struck + calls.filter(({ fault }) => fault !== null).length;
  return { ...verdict, seed, faults, conflicts: conflicts.length, calls: calls.length, drainMs, problems };
}

/** The cron goes on as always; everything acknowledged must come to rest, and whoever stood still has gone on. */
export async function drain({ relay }: Lab, modelRunId: string): Promise<void> {
  let behind: Behind[] = [];
  let lastPass = 0;
  await until(
    `everything of ${modelRunId} is delivered`,
    async () => {
      if (Date.now() - lastPass > CRON_MS) {
        lastPass = Date.now();
        await relay.cron();
      }
      const { outstanding, frozen } = await chaosState(relay);
      behind = relay.store.behind(modelRunId);
      return outstanding === 0 && !frozen && behind.length === 0;
    },
    () => JSON.stringify(behind, null, 1),
    DRAIN_LIMIT_MS,
  );
}
