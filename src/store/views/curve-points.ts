import * as z from "zod";
import type { CurvePoint } from "../../domain/curve.ts";

/** Points as statements give them: one JSON text for many, which takes D1 far less time than a row each. */

const STATEMENTS_A_BATCH = 20;

const json = z.string().transform((text): unknown => JSON.parse(text));
const value = z.union([z.number(), z.string()]);
const point = z.tuple([z.number(), z.number(), value]);

const points = json.pipe(z.array(point));
const keyedPoints = json.pipe(z.array(z.tuple([z.string(), z.number(), z.number(), value])));

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

/** What a statement with one text gave. */
export function textOf(result: D1Result<Texts> | undefined): string {
  return result?.results[0]?.points ?? "[]";
}

/** Statements in few round trips; the database does nothing else during one of them. */
export async function inBatches<Row = Texts>(db: D1Database, statements: readonly D1PreparedStatement[]) {
  const results: D1Result<Row>[] = [];
  for (let at = 0; at < statements.length; at += STATEMENTS_A_BATCH)
    results.push(...(await db.batch<Row>(statements.slice(at, at + STATEMENTS_A_BATCH))));
  return results;
}

/** A curve's points from the text of each in a chunk: the digits of a value stay. */
export const asPoints = (text: string) => {
  const [step, timestamp, value] = [2, 3, 4].map((i) => `${text} -> ${i}`);
  return `json_group_array(json_array(${step}, ${timestamp}, ${value}))`;
};
