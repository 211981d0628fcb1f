import * as z from "zod";
import { fromWire } from "../../src/domain/values.ts";
import { point, type Snapshot } from "../lib/mlflow-read.ts";
import type { DeadLetter } from "../lib/relay-store.ts";
import { POISON, paramItem, type Report } from "./traffic.ts";

/** What MLflow ended with, against what was sent and acknowledged. Lists name the items at fault. */
export type Verdict = {
  sent: number;
  acknowledged: number;
  /** Acknowledged, and neither in MLflow nor among the dead letters. */
  missing: string[];
  /** The same of all that were sent. */
  absent: number;
  doubled: string[];
  wrong: string[];
  /** Runs beyond one a trial. */
  extraRuns: string[];
  /** Empty doubles that the relay found and deleted. */
  deletedRuns: number;
  /** What was set aside; and items among it with which nothing was wrong, though not pokes: the cron makes up for these. */
  dead: number;
  deadInVain: string[];
};

const deadMetric = z.object({
  key: z.string(),
  value: z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]),
  timestamp: z.number(),
  step: z.number(),
});
const deadParam = z.object({ key: z.string(), value: z.string() });

/** Compares every item of an experiment's runs by its trial. `acknowledged` are indices of reports. */
export function judge(
  all: readonly Snapshot[],
  reports: readonly Report[],
  acknowledged: ReadonlySet<number>,
  deadLetters: readonly DeadLetter[],
): Verdict {
  const runs = all.filter((run) => run.lifecycleStage === "active");
  const byTrial = Map.groupBy(runs, (run) => run.tags.thunderline_trial_id ?? "the model run");
  const verdict: Verdict = {
    sent: reports.flatMap(({ items }) => items).length,
    acknowledged: reports.filter((_, i) => acknowledged.has(i)).flatMap(({ items }) => items).length,
    missing: [],
    absent: 0,
    doubled: [],
    wrong: [],
    extraRuns: [...byTrial].flatMap(([trial, own]) => own.slice(1).map(({ runId }) => `${trial}: ${runId}`)),
    deletedRuns: all.length - runs.length,
    dead: deadLetters.length,
    deadInVain: deadLetters
      .filter(({ kind }) => kind !== "message")
      .map(itemOf)
      .filter((item) => !item.includes(POISON)),
  };
  const indexed = reports.map((report, index) => ({ ...report, acknowledged: acknowledged.has(index) }));
  for (const [trial, own] of Map.groupBy(indexed, ({ trialId }) => trialId)) {
    const found = (byTrial.get(trial) ?? []).flatMap(itemsOf);
    const dead = new Set(deadLetters.filter((letter) => letter.trial_id === trial).map(itemOf));
    const sent = new Set(own.flatMap(({ items }) => items));
    const promised = own.filter((report) => report.acknowledged);
    const there = new Set(found);
    const isLost = (item: string) => !there.has(item) && !dead.has(item);
    verdict.missing.push(...promised.flatMap(({ items }) => items).filter(isLost));
    verdict.absent += [...sent].filter(isLost).length;
    verdict.wrong.push(...found.filter((item) => !sent.has(item)));
    verdict.doubled.push(...repeated(found.map(identityOf)).map((value) => `${trial}: ${value}`));
    const status = byTrial.get(trial)?.[0]?.status;
    const ended = promised.flatMap(({ ends }) => ends ?? []);
    if (ended.some((end) => end !== status)) verdict.wrong.push(`${trial} is ${status}, not ${ended}`);
  }
  return verdict;
}

/** Of two experiments as of one. */
export function together(one: Verdict, other: Verdict): Verdict {
  return {
    sent: one.sent + other.sent,
    acknowledged: one.acknowledged + other.acknowledged,
    missing: [...one.missing, ...other.missing],
    absent: one.absent + other.absent,
    doubled: [...one.doubled, ...other.doubled],
    wrong: [...one.wrong, ...other.wrong],
    extraRuns: [...one.extraRuns, ...other.extraRuns],
    deletedRuns: one.deletedRuns + other.deletedRuns,
    dead: one.dead + other.dead,
    deadInVain: [...one.deadInVain, ...other.deadInVain],
  };
}

function itemsOf({ points, params }: Snapshot): string[] {
  return [...points, ...Object.entries(params).map(([key, value]) => paramItem(key, value))];
}

/** The value is the item's identity: two of one value are doubled, whatever their times and steps. */
function identityOf(item: string): string {
  return item.split(" = ").at(-1) ?? item;
}

function repeated(values: readonly string[]): string[] {
  const seen = new Set<string>();
  return values.filter((value) => seen.size === seen.add(value).size);
}

/** A dead letter in the words of the traffic. */
function itemOf({ kind, item, reason }: DeadLetter): string {
  if (reason === "") throw new Error(`a dead letter without a reason: ${item}`);
  const parsed: unknown = JSON.parse(item);
  if (kind === "metric") {
    const { key, step, timestamp, value } = deadMetric.parse(parsed);
    return point(key, step, timestamp, fromWire(value));
  }
  if (kind !== "param") return `${kind} ${item}`;
  const { key, value } = deadParam.parse(parsed);
  return paramItem(key, value);
}
