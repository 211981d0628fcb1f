import {
  type compareState,
  type ExpectedPoint,
  type FoundPoint,
  type PointDifferences,
  paired,
  type TextDifferences,
} from "./compare.ts";
import { fromWire, toWire, type WireNumber } from "./values.ts";

/** A verdict's report: full counts, and of each kind of difference a few to look at. */

const SAMPLE = 5;
const MAX_KEYS = 100;
const MAX_TEXT_CHARS = 200;

export type Sampled<T> = { count: number; sample: T[] };
export type PointView = { step: number | string; timestamp: number; value: WireNumber };

/** The first few of a list, and how many there are. */
export function sampled<A, B>(list: readonly A[], view: (item: A) => B): Sampled<B> {
  return { count: list.length, sample: list.slice(0, SAMPLE).map(view) };
}

/** A point for people; a step beyond a double's integers is text. */
export function pointView({ step, timestamp, value }: FoundPoint | ExpectedPoint): PointView {
  return {
    step: typeof step === "bigint" ? String(step) : step,
    timestamp,
    value: toWire(fromWire(value)),
  };
}

/** What differs in one metric. */
export function keyReport({ missing, extra, doubled }: PointDifferences) {
  const pairs = paired(missing, extra);
  return {
    missing: sampled(pairs.missing, pointView),
    extra: sampled(pairs.extra, pointView),
    different: sampled(pairs.different, ({ expected, found }) => ({
      expected: pointView(expected),
      found: pointView(found),
    })),
    doubled: sampled(doubled, pointView),
  };
}

/** What differs in the parameters or the tags. */
export function textReport({ due, missing, different, undelivered, explained }: TextDifferences) {
  const short = (text: string) => text.slice(0, MAX_TEXT_CHARS);
  return {
    compared: due.length,
    missing: sampled(missing, ({ key, value }) => ({ key, expected: short(value) })),
    different: sampled(different, ({ key, value, found }) => ({
      key,
      expected: short(value),
      found: short(found),
    })),
    undelivered,
    explained,
  };
}

type KeyReport = ReturnType<typeof keyReport>;
type TextReport = ReturnType<typeof textReport>;
const KINDS = ["missing", "extra", "different", "doubled"] as const;
type Counts = Record<(typeof KINDS)[number] | "compared" | "undelivered" | "explained", number>;

/** The points of all keys together, and the keys that differ. */
export type PointsReport = Counts & { keys: Record<string, KeyReport>; differing_keys: number };

export const noPoints: PointsReport = {
  compared: 0,
  missing: 0,
  extra: 0,
  different: 0,
  doubled: 0,
  undelivered: 0,
  explained: 0,
  keys: {},
  differing_keys: 0,
};

/** The report with one more metric, or one more part of a long one. */
export function withKey(report: PointsReport, key: string, differences: PointDifferences): PointsReport {
  const own = keyReport(differences);
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, report[kind] + own[kind].count]));
  const sum: PointsReport = {
    ...report,
    ...counts,
    compared: report.compared + differences.due.length,
    undelivered: report.undelivered + differences.undelivered,
    explained: report.explained + differences.explained,
  };
  if (KINDS.every((kind) => own[kind].count === 0)) return sum;
  const known = report.keys[key];
  if (!known && report.differing_keys >= MAX_KEYS) return { ...sum, differing_keys: sum.differing_keys + 1 };
  const keys = { ...report.keys, [key]: known ? joined(known, own) : own };
  return { ...sum, keys, differing_keys: sum.differing_keys + (known ? 0 : 1) };
}

function joined(a: KeyReport, b: KeyReport): KeyReport {
  const both = <T>(x: Sampled<T>, y: Sampled<T>): Sampled<T> => ({
    count: x.count + y.count,
    sample: [...x.sample, ...y.sample].slice(0, SAMPLE),
  });
  return {
    missing: both(a.missing, b.missing),
    extra: both(a.extra, b.extra),
    different: both(a.different, b.different),
    doubled: both(a.doubled, b.doubled),
  };
}

export type Report = {
  /** Accepted and not delivered yet, which nobody misses in MLflow. */
  undelivered_events: number;
  run: { id: string; state: "active" | "deleted" | "gone" };
  /** Other runs that carry the same ids; null when they cannot be searched for. */
  double_runs: string[] | null;
  points: PointsReport;
  params: TextReport;
  tags: TextReport;
  /** Null while events are under way, when the state may change at any moment. */
  state: ReturnType<typeof compareState> | null;
};

/** Whether MLflow is as it must be. */
export function isConfirmed(report: Report): boolean {
  return report.run.state === "active" && isWhole(report);
}

/** Whether MLflow has all as it must be, though it may be in a run that was deleted and can be restored. */
export function isWhole({ run, double_runs, points, params, tags, state }: Report): boolean {
  const textsAgree = [params, tags].every(({ missing, different }) => missing.count + different.count === 0);
  return (
    run.state !== "gone" &&
    (double_runs ?? []).length === 0 &&
    KINDS.every((kind) => points[kind] === 0) &&
    textsAgree &&
    (state ?? []).length === 0
  );
}
