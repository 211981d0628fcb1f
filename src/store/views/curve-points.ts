import * as z from "zod";
import type { CurvePoint } from "../../domain/curve.ts";

/** Points as statements give them: one JSON text for many, which takes D1 far less time than a row each. */

const STATEMENTS_A_BATCH = 20;

const json = z.string().transform((text): unknown => JSON.parse(text));
const value = z.union([z.number(), z.string()]);
const point = z.tuple([z.number(), z.number(), value]);
/** The least of nothing is a row of nulls. */
const nothing = z.union([z.null(), z.tuple([z.null(), z.null(), z.null()])]).transform(() => null);

const points = json.pipe(z.array(point));
const keyedPoints = json.pipe(z.array(z.tuple([z.string(), z.number(), z.number(), value])));
const ofBuckets = json.pipe(z.array(z.array(z.union([point, nothing]))));

export type Texts = { points: string };

/** `[step, timestamp, value]` each. */
export function readPoints(text: string): CurvePoint[] {
  return points.parse(text);
}

/** `[key, step, timestamp, value]` each, by their keys. */
export function readKeyedPoints(text: string): Map<string, CurvePoint[]> {
  const byKey = Map.groupBy(keyedPoints.parse(text), ([key]) => key);
  return new Map([...byKey].map(([key, mine]) => [key, mine.map(([, ...point]) => point)]));
}

/** What was found of each bucket, null where there was nothing. */
export function readBuckets(text: string): (CurvePoint | null)[][] {
  return ofBuckets.parse(text);
}

/** What a statement with one text gave. */
export function textOf(result: D1Result<Texts> | undefined): string {
  return result?.results[0]?.points ?? "[]";
}

export type Named = { streamId: number; key: string };

/** Statements in few round trips; the database does nothing else during one of them. */
export async function inBatches<Row = Texts>(db: D1Database, statements: readonly D1PreparedStatement[]) {
  const results: D1Result<Row>[] = [];
  for (let at = 0; at < statements.length; at += STATEMENTS_A_BATCH)
    results.push(...(await db.batch<Row>(statements.slice(at, at + STATEMENTS_A_BATCH))));
  return results;
}

/** A part of a history: steps, and epoch milliseconds, both ends in it. */
export type Window = { steps: readonly [number, number]; times: readonly [number, number] };

/** Which points a statement is about that binds a curve and a window as ?1 to ?6. */
export const IN_WINDOW =
  "from metric_points where stream_id = ?1 and key = ?2 and step between ?3 and ?4 and timestamp between ?5 and ?6";

export function bindWindow(
  db: D1Database,
  query: string,
  { streamId, key }: Named,
  { steps, times }: Window,
  ...more: unknown[]
): D1PreparedStatement {
  return db.prepare(query).bind(streamId, key, ...steps, ...times, ...more);
}
