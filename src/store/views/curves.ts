import { type CurvePoint, joinCurve } from "../../domain/curve.ts";
import { bindWindow, EVERYTHING, POINTS_IN_WINDOW } from "../journal/chunk-window.ts";
import { type CurveAsked, newPoints, readFinals } from "./curve-news.ts";
import { readOverviews, storeOverviews } from "./curve-overviews.ts";
import { asPoints, inBatches, readPoints, textOf } from "./curve-points.ts";
import { THINNED_POINTS, thinnedCurve } from "./curve-thinning.ts";

/** What is drawn of trials' metrics: few points, whatever the length of a history, from their acceptance on. */

/** So many points are read as they are; a longer history is thinned. */
const PLAIN_POINTS = 2_000;
/** With so many new points a thinned curve is kept anew. */
const MANY_NEW_POINTS = 1_000;
/** Long curves that are thinned at once: a page of each is held. */
const THINNED_AT_ONCE = 4;

/** `isWhole`: none of its points were pruned here but those that it has. */
export type Curve = { points: CurvePoint[]; isThinned: boolean; isWhole: boolean };

/**
 * The curves that are asked for, in that order, each of at most `maxPoints`. Of whole ones what was thinned before is not
 * read again.
 * @param now epoch milliseconds
 */
export async function readCurves(
  db: D1Database,
  asked: readonly CurveAsked[],
  maxPoints: number,
  now: number,
): Promise<Curve[]> {
  const finals = await readFinals(db, asked);
  const [parts, wholes] = [asked.filter(({ window }) => window), asked.filter(({ window }) => !window)];
  const read = new Map([...(await readParts(db, parts)), ...(await readWholes(db, wholes, finals, now))]);
  return asked.map((curve) => {
    const { points = [], isThinned = false, isWhole = false } = read.get(curve) ?? {};
    const all = joinCurve([points, finals(curve)], Number.POSITIVE_INFINITY);
    return { points: joinCurve([all], maxPoints), isThinned: isThinned || all.length > maxPoints, isWhole };
  });
}

/** What came to curves after an event of each trial, with what has no step yet; null where it is too much to be read like this. */
export async function readNewPoints(
  db: D1Database,
  asked: readonly CurveAsked[],
  after: (curve: CurveAsked) => number,
): Promise<CurvePoint[][] | null> {
  const [news, finals] = await Promise.all([newPoints(db, asked, after), readFinals(db, asked)]);
  const curves: CurvePoint[][] = [];
  for (const curve of asked) {
    const found = news(curve);
    if (found === null) return null;
    curves.push(joinCurve([found, finals(curve)], Number.POSITIVE_INFINITY));
  }
  return curves;
}

type Read = Map<CurveAsked, Curve>;

/** Whole curves: those that were thinned before with what came since, the others as they are, or thinned and kept. */
async function readWholes(
  db: D1Database,
  asked: readonly CurveAsked[],
  finals: (curve: CurveAsked) => readonly CurvePoint[],
  now: number,
): Promise<Read> {
  const overviews = new Map((await readOverviews(db, asked.map(named))).map((one) => [idOf(one), one]));
  const overviewOf = (curve: CurveAsked) => {
    const overview = overviews.get(idOf(named(curve)));
    return overview && overview.seq >= curve.source.prunedSeq ? overview : undefined;
  };
  const news = await newPoints(db, asked.filter(overviewOf), (curve) => overviewOf(curve)?.seq ?? 0);
  const read = await readParts(
    db,
    asked.filter((curve) => !overviewOf(curve) || news(curve) === null),
  );
  const toKeep: CurveAsked[] = [...read].flatMap(([curve, { isThinned, isWhole }]) =>
    isThinned && isWhole ? [curve] : [],
  );
  for (const curve of asked) {
    const [overview, added] = [overviewOf(curve), news(curve)];
    if (read.has(curve) || !overview || !added) continue;
    read.set(curve, { points: [...overview.points, ...added], isThinned: true, isWhole: true });
    if (added.length >= MANY_NEW_POINTS) toKeep.push(curve);
  }
  // An end's metric becomes a point of its event once it has a step: until then it is no part of what is whole.
  const whole = toKeep.filter((curve) => finals(curve).length === 0);
  await storeOverviews(
    db,
    whole.map((curve) => ({
      ...named(curve),
      seq: curve.source.lastSeq,
      prunedSeq: curve.source.prunedSeq,
      points: joinCurve([read.get(curve)?.points ?? []], THINNED_POINTS),
    })),
    now,
  );
  return read;
}

/** Every point within the windows, or what is kept of so many. */
async function readParts(db: D1Database, asked: readonly CurveAsked[]): Promise<Read> {
  const read: Read = new Map();
  const windowOf = ({ window }: CurveAsked) => window ?? EVERYTHING;
  const plain = await inBatches(
    db,
    asked.map((curve) => bindWindow(db, PLAIN, named(curve), windowOf(curve))),
  );
  for (const [i, curve] of asked.entries())
    read.set(curve, {
      points: readPoints(textOf(plain[i])),
      isThinned: false,
      isWhole: curve.source.prunedSeq === 0,
    });
  const long = asked.filter((curve) => (read.get(curve)?.points.length ?? 0) > PLAIN_POINTS);
  for (let at = 0; at < long.length; at += THINNED_AT_ONCE)
    await Promise.all(
      long.slice(at, at + THINNED_AT_ONCE).map(async (curve) => {
        const points = await thinnedCurve(db, named(curve), windowOf(curve));
        read.set(curve, { points, isThinned: true, isWhole: curve.source.prunedSeq === 0 });
      }),
    );
  return read;
}

const named = ({ source, key }: CurveAsked) => ({ streamId: source.streamId, key });
const idOf = ({ streamId, key }: { streamId: number; key: string }) => `${streamId} ${key}`;

/** In any order: a history that is longer is read no further. */
const PLAIN = `
  select ${asPoints("point")} as points from (select p.value as point ${POINTS_IN_WINDOW} limit ${PLAIN_POINTS + 1})`;
