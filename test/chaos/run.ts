import { parseArgs } from "node:util";
import { comparePeers } from "./peers.ts";
import { playRound, type Round, type Size } from "./round.ts";
import { openChaosLab } from "./storm.ts";
import { table } from "./table.ts";
import { type Gust, makeStorm } from "./weather.ts";

/**
 * `npm run chaos -- [--seed N] [--rounds N | --minutes M] [--peers] [--json]`: rounds of faults, each from its own
 * seed, over the real relay and a real MLflow on loopback; with `--peers` one storm of the network for the relay and
 * for MLflow's own client. Ends by itself; fails when a promise was broken.
 */
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    rounds: { type: "string" },
    minutes: { type: "string" },
    peers: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const SIZE: Size = { trials: 6, steps: 50 };
const GUSTS = 8;
const ROUNDS = 3;
const MANY = 10_000;

const first = numberOf("seed", values.seed);
const rounds = numberOf("rounds", values.rounds ?? String(values.minutes ? MANY : ROUNDS));
const deadline = Date.now() + numberOf("minutes", values.minutes ?? String(MANY)) * 60_000;

// What was started ends with this process, if it ends in order.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const lab = await openChaosLab();
try {
  if (values.peers) print(await comparePeers(lab, first));
  else process.exitCode = (await play()) ? 0 : 1;
} finally {
  await lab.close();
}

/** Whether every round kept the promises. */
async function play(): Promise<boolean> {
  const played: Round[] = [];
  const broken: number[] = [];
  for (let seed = first; seed < first + rounds && Date.now() < deadline; seed++) {
    const gusts = makeStorm(seed, GUSTS);
    console.error(`seed ${seed}: ${gusts.map(nameOf).join("; ")}`);
    const problems = await playRound(lab, seed, SIZE, gusts).then(
      (round) => {
        played.push(round);
        return round.problems;
      },
      (error: unknown) => [error instanceof Error ? error.message : String(error)],
    );
    for (const problem of problems) console.error(`seed ${seed}: ${problem}`);
    if (problems.length > 0) broken.push(seed);
  }
  print(values.json ? played : played.map(rowOf));
  for (const seed of broken)
    console.error(`A promise was broken. Again: npm run chaos -- --seed ${seed} --rounds 1`);
  return broken.length === 0;
}

function print(rows: readonly object[]): void {
  console.log(values.json ? JSON.stringify(rows, null, 1) : table(rows));
}

function nameOf({ network, platform }: Gust): string {
  return `${network.name} / ${platform.name}`;
}

function rowOf(round: Round) {
  return {
    seed: round.seed,
    faults: round.faults,
    sent: round.sent,
    acknowledged: round.acknowledged,
    files: round.files,
    missing: round.missing.length,
    doubled: round.doubled.length,
    wrong: round.wrong.length,
    "extra runs": round.extraRuns.length,
    "doubles deleted": round.deletedRuns,
    "dead letters": round.dead,
    conflicts: round.conflicts,
    "MLflow calls": round.calls,
    "seconds to drain": Math.round(round.drainMs / 1000),
  };
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number >= 0)) throw new Error(`--${name} takes a number, got "${text}"`);
  return number;
}
