import { fromWire, type WireNumber } from "./values.ts";

/**
 * What the journal says and what MLflow has, side by side. Pure; the one place that decides what is missing, extra or
 * different.
 */

/** A point of the journal, with the event that brought it. */
export type ExpectedPoint = { seq: number; step: number; timestamp: number; value: WireNumber };
/** A point as MLflow gives it back. */
export type FoundPoint = { step: number | bigint; timestamp: number; value: number };

/** What is to be thought of something that MLflow does not have: only what is due is missing. */
export type Standing = "due" | "undelivered" | "explained";

export type PointDifferences<P extends ExpectedPoint = ExpectedPoint> = {
  /** Points that MLflow must have, those that it lacks among them. */
  due: P[];
  missing: P[];
  /** Points that are not in the journal. */
  extra: FoundPoint[];
  /** Points that MLflow has twice. */
  doubled: FoundPoint[];
  undelivered: number;
  explained: number;
};

/**
 * Compares the points of one key. A point is the same where step, timestamp and stored value are; NaN is itself.
 * @param pages MLflow's history. A point twice within a page is there twice; one that comes again on a later page was
 * only pushed there by a point that was logged meanwhile.
 * @param stored how the server gives a value back
 */
export function comparePoints<P extends ExpectedPoint>(
  expected: readonly P[],
  pages: Iterable<readonly FoundPoint[]>,
  standing: (point: P) => Standing,
  stored: (value: number) => number,
): PointDifferences<P> {
  const { found, doubled } = gather(pages, stored);
  const matched = new Set<string>();
  const result: PointDifferences<P> = {
    due: [],
    missing: [],
    extra: [],
    doubled,
    undelivered: 0,
    explained: 0,
  };
  for (const point of expected) {
    const id = pointIdentity(point, stored(fromWire(point.value)));
    const is = standing(point);
    if (is === "due") result.due.push(point);
    if (found.has(id)) matched.add(id);
    else if (is === "due") result.missing.push(point);
    else result[is]++;
  }
  for (const [id, point] of found) if (!matched.has(id)) result.extra.push(point);
  return result;
}

function gather(pages: Iterable<readonly FoundPoint[]>, stored: (value: number) => number) {
  const found = new Map<string, FoundPoint>();
  const doubled: FoundPoint[] = [];
  for (const page of pages) {
    const inPage = new Set<string>();
    for (const point of page) {
      const id = pointIdentity(point, stored(point.value));
      if (inPage.has(id)) doubled.push(point);
      inPage.add(id);
      found.set(id, point);
    }
  }
  return { found, doubled };
}

/** What makes a point of a key the same as another. */
export function pointIdentity(
  { step, timestamp }: { step: number | bigint; timestamp: number },
  value: number,
): string {
  return `${step} ${timestamp} ${value}`;
}

/** Takes a missing and an extra point of one step and time together: that is one point with another value. */
export function paired<P extends ExpectedPoint>(
  missing: readonly P[],
  extra: readonly FoundPoint[],
): { missing: P[]; extra: FoundPoint[]; different: { expected: P; found: FoundPoint }[] } {
  const place = ({ step, timestamp }: { step: number | bigint; timestamp: number }) => `${step} ${timestamp}`;
  const strangers = Map.groupBy(extra, place);
  const different: { expected: P; found: FoundPoint }[] = [];
  const alone = missing.filter((expected) => {
    const found = strangers.get(place(expected))?.shift();
    if (found) different.push({ expected, found });
    return !found;
  });
  return { missing: alone, extra: [...strangers.values()].flat(), different };
}

/** A parameter or tag of the journal. */
export type ExpectedText = { key: string; value: string; seq: number };

export type TextDifferences = {
  due: ExpectedText[];
  missing: ExpectedText[];
  different: (ExpectedText & { found: string })[];
  undelivered: number;
  explained: number;
};

/** Compares parameters or tags. What MLflow has besides is not the relay's to judge. */
export function compareTexts(
  expected: readonly ExpectedText[],
  found: ReadonlyMap<string, string>,
  standing: (text: ExpectedText) => Standing,
  same: (a: string, b: string) => boolean,
): TextDifferences {
  const result: TextDifferences = { due: [], missing: [], different: [], undelivered: 0, explained: 0 };
  for (const text of expected) {
    const there = found.get(text.key);
    const is = standing(text);
    if (is === "due") result.due.push(text);
    if (there !== undefined && same(text.value, there)) continue;
    if (is !== "due") result[is]++;
    else if (there === undefined) result.missing.push(text);
    else result.different.push({ ...text, found: there });
  }
  return result;
}

/** A run's own state, as far as it is expected: null is not looked at. */
export type ExpectedState = {
  status: string;
  startTime: number | null;
  endTime: number | null;
  runName: string | null;
  statusTag: string | null;
};

/** Compares a run's own state, field by field. */
export function compareState(expected: ExpectedState, found: ExpectedState) {
  const fields = [
    { field: "status", expected: expected.status, found: found.status },
    { field: "start_time", expected: expected.startTime, found: found.startTime },
    { field: "end_time", expected: expected.endTime, found: found.endTime },
    { field: "run_name", expected: expected.runName, found: found.runName },
    { field: "thunderline_status", expected: expected.statusTag, found: found.statusTag },
  ];
  return fields.filter((one) => one.expected !== null && one.expected !== one.found);
}
