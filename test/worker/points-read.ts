import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { expect } from "vitest";
import type { Point } from "../../src/domain/types.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { historyPage } from "../../src/store/gateway/history.ts";
import { chunksBetween, pointsOf } from "../../src/store/journal/chunk-points.ts";
import { expectedPoints, type Place, windowEnd } from "../../src/store/readback/expected.ts";
import { thinnedCurve } from "../../src/store/views/curve-thinning.ts";
import { ledgerPage } from "../../src/store/views/ledger.ts";
import { readSeries } from "../../src/store/views/points.ts";
import { KEYS, type Stored, textOf, texts } from "./points-world.ts";

/** Every reader of points beside the set that they are to be. */

const [ALL, MOST] = [{ from: -(2 ** 53), to: 2 ** 53 }, 1_000];

/** @param cuts where parts of the history begin and end */
export async function expectRead(
  id: number,
  known: readonly Stored[],
  cuts: readonly [number, number],
): Promise<void> {
  const query = env.DB.prepare(
    "select seq, event_id as eventId from events where stream_id = ?1 order by seq",
  );
  const { results: events } = await query.bind(id).all<{ seq: number; eventId: string }>();
  const seqs = new Map(events.map(({ seq, eventId }) => [eventId, seq]));
  const seqOf = ({ eventId }: Stored) => seqs.get(eventId) ?? -1;
  const [after = 0, upto = 0] = ascending(cuts.map((cut) => events[cut % events.length]?.seq ?? 0));
  await expectBetween(
    id,
    [after, upto],
    known.filter((one) => seqOf(one) > after && seqOf(one) <= upto),
  );
  for (const key of KEYS) {
    const mine = known.filter(({ point }) => point.key === key).sort((a, b) => byPlace(a.point, b.point));
    const points = mine.map(({ point }) => point);
    await expectHistory(id, key, points);
    await expectWindows(
      id,
      key,
      mine.map((one) => ({ ...one.point, seq: seqOf(one) })),
    );
    const [low = 0, high = 0] = ascending(cuts.map((cut) => points[cut % points.length]?.step ?? 0));
    for (const range of [ALL, { from: low, to: high }])
      await expectCurve(
        id,
        key,
        range,
        points.filter(({ step }) => step >= range.from && step <= range.to),
      );
  }
  await expectInLedger(id, known[cuts[0] % known.length]);
}

const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
const byPlace = (a: Place, b: Place) => a.step - b.step || a.timestamp - b.timestamp;

async function expectBetween(id: number, [after, upto]: [number, number], known: readonly Stored[]) {
  const between = chunksBetween(id, after, sql`${upto}`);
  const chunks = await drizzle(env.DB).all<{ key: string; points: string }>(between);
  const found = pointsOf(chunks, [{ seq: after + 1 }, { seq: upto }]);
  expect(texts(found), "by seq").toEqual(texts(known.map(({ point }) => point)));
}

async function expectHistory(id: number, key: string, points: readonly Point[]) {
  const found: Point[] = [];
  for (let offset = 0; offset <= points.length; offset += 4)
    found.push(
      ...(await historyPage(env.DB, id, key, { steps: ALL, offset, limit: 4 })).map((one) => ({
        key,
        ...one,
      })),
    );
  expect(texts(found), "a history in pages").toEqual(texts(points));
  const times = found.map(({ timestamp }) => timestamp);
  expect(times).toEqual(ascending(times));
}

async function expectWindows(id: number, key: string, points: readonly (Point & { seq: number })[]) {
  const found: (Point & { seq: number })[] = [];
  let after: Place | null = null;
  do {
    const upTo: Place | null = await windowEnd(env.DB, id, key, after, 5);
    found.push(...(await expectedPoints(env.DB, id, [key], { after, upTo })));
    after = upTo;
  } while (after !== null);
  const withSeq = (some: typeof points) => some.map((one) => `${one.seq} ${textOf(one)}`).sort();
  expect(withSeq(found), "windows of what is kept").toEqual(withSeq(points));
  const places = (some: typeof points) => some.map(({ step, timestamp }) => [step, timestamp]);
  expect(places(found)).toEqual(places(points));
}

async function expectCurve(id: number, key: string, range: typeof ALL, points: readonly Point[]) {
  const series = await readSeries(env.DB, id, key, range, MOST);
  expect(texts((series?.points ?? []).map((one) => ({ key, ...one }))), "a series").toEqual(texts(points));
  const window = { steps: [range.from, range.to], times: [ALL.from, ALL.to] } as const;
  const thinned = (await thinnedCurve(env.DB, { streamId: id, key }, window)).map(
    ([step, timestamp, value]): Point => ({ key, step, timestamp, value }),
  );
  const there = new Set(texts(points));
  expect(texts(thinned).filter((one) => !there.has(one))).toEqual([]);
  expect(marks(thinned), "the ends and extremes of a thinned curve").toEqual(marks(points));
}

/** What thinning must not lose. */
function marks(points: readonly Point[]) {
  const numbers = points.flatMap(({ value }) => (typeof value === "number" ? [value] : []));
  const words = points.flatMap(({ value }) => (typeof value === "string" ? [value] : []));
  const steps = points.map(({ step }) => step);
  const ends = (some: readonly number[]) => [Math.min(...some), Math.max(...some)];
  return { steps: ends(steps), values: ends(numbers), words: [...new Set(words)].sort() };
}

async function expectInLedger(id: number, dead: Stored | undefined) {
  if (dead === undefined) return;
  const item = JSON.stringify(dead.point);
  await bury(env.DB, { streamId: id, kind: "metric", item, reason: "no", createdAt: 1 });
  const page = await ledgerPage(env.DB, id, { state: "dead" }, 0, MOST);
  expect(
    page.map(({ event_id }) => event_id),
    "the ledger",
  ).toEqual([dead.eventId]);
}
