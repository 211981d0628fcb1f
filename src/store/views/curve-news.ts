import type { CurvePoint } from "../../domain/curve.ts";
import { isIn, type Window } from "../journal/chunk-window.ts";
import { inBatches, readKeyedPoints, type Texts } from "./curve-points.ts";
import type { TrialSource } from "./curve-sources.ts";
import { UNPLANNED_FINALS } from "./finals.ts";

/** So many points are read of what came to the curves of a trial. */
const MAX_NEW_POINTS = 20_000;

/** `window`: the part to draw, finer; null for the whole. */
export type CurveAsked = { source: TrialSource; key: string; window: Window | null };

/** What came to trials after an event each, by curve; null where that is too much. One statement a trial. */
export async function newPoints(
  db: D1Database,
  asked: readonly CurveAsked[],
  after: (curve: CurveAsked) => number,
): Promise<(curve: CurveAsked) => CurvePoint[] | null> {
  const trials = byTrial(asked).flatMap(({ streamId, lastSeq, keys, curves }) => {
    const from = Math.min(...curves.map(after));
    return lastSeq > from ? [{ streamId, keys, from }] : [];
  });
  const results = await inBatches<Texts & { scanned: number }>(
    db,
    trials.map(({ streamId, from, keys }) => db.prepare(NEW).bind(streamId, from, keys)),
  );
  const found = new Map(
    trials.map(({ streamId }, i) => {
      const row = results[i]?.results[0] ?? { points: "[]", scanned: 0 };
      return [streamId, row.scanned > MAX_NEW_POINTS ? null : readKeyedPoints(row.points)];
    }),
  );
  return ({ source, key }) => {
    const ofTrial = found.get(source.streamId);
    return ofTrial === null ? null : (ofTrial?.get(key) ?? []);
  };
}

/** The metrics of ends that have no step yet, as far as they are in their windows, by curve. */
export async function readFinals(
  db: D1Database,
  asked: readonly CurveAsked[],
): Promise<(curve: CurveAsked) => CurvePoint[]> {
  type Final = { key: string; step: number; timestamp: number; value: number | string };
  const trials = byTrial(asked).filter(({ hasFinals }) => hasFinals);
  const results = await inBatches<Final>(
    db,
    trials.map(({ streamId, keys }) => db.prepare(UNPLANNED_FINALS).bind(streamId, keys)),
  );
  const found = new Map(trials.map(({ streamId }, i) => [streamId, results[i]?.results ?? []]));
  return ({ source, key, window }) =>
    (found.get(source.streamId) ?? [])
      .filter((final) => final.key === key)
      .filter(({ step, timestamp }) => !window || (isIn(step, window.steps) && isIn(timestamp, window.times)))
      .map(({ step, timestamp, value }) => [step, timestamp, value]);
}

function byTrial(asked: readonly CurveAsked[]) {
  return [...Map.groupBy(asked, ({ source }) => source)].map(([source, curves]) => ({
    ...source,
    curves,
    keys: JSON.stringify(curves.map(({ key }) => key)),
  }));
}

/** The newest chunks: older ones have nothing of it. */
const NEW = `
  select count(*) as scanned,
    json_group_array(json_array(key, point -> 2, point -> 3, point -> 4)) as points
  from (
    select c.key, p.value as point
    from json_each(?3) k cross join metric_chunks c cross join json_each(c.points) p
    where c.stream_id = ?1 and c.key = k.value and c.seq > ?2 and (c.first_seq > ?2 or p.value ->> 0 > ?2)
    limit ${MAX_NEW_POINTS + 1})`;
