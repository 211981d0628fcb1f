import * as z from "zod";
import type { Metric } from "./types.ts";

/** The fields of MLflow's answers. */

export const int64 = z.union([
  z.number().int(),
  z.bigint(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(BigInt),
]);

/** int64 as a number where that is exact, as a bigint elsewhere. */
export const step = int64.transform((n) => {
  const number = Number(n);
  return Number.isSafeInteger(number) ? number : BigInt(n);
});

/** ms since 1970: safe integers in any sensible clock. */
export const time = int64.transform(Number);
export const optionalTime = time.nullish().transform((t) => t ?? null);
export const optionalText = z
  .string()
  .nullish()
  .transform((t) => t ?? null);

/** SQL stores answer whole doubles as `1.0`; others may write a large one as an integer, hence the bigint. */
export const double = z.union([
  z.number(),
  z.bigint().transform(Number),
  z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number),
]);

/** A list, of which none is an empty one. */
export function listOf<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);
}

export const pair = z.object({ key: z.string(), value: z.string().default("") });

export const metric = z
  .object({ key: z.string(), value: double, timestamp: time, step: step.default(0) })
  .transform(({ key, value, timestamp, step }): Metric => ({ key, value, timestamp, step }));
