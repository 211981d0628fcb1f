import { MAX_STEP, MIN_STEP } from "../domain/limits.ts";
import { wholeNumber } from "./query.ts";

const MIN_POINTS = 2;
const MAX_POINTS = 50_000;
const DEFAULT_POINTS = 1_000;

/** What every history of a metric takes. */
export const seriesQuery = {
  from_step: wholeNumber(MIN_STEP, MAX_STEP).default(MIN_STEP),
  to_step: wholeNumber(MIN_STEP, MAX_STEP).default(MAX_STEP),
  max_points: wholeNumber(MIN_POINTS, MAX_POINTS).default(DEFAULT_POINTS),
};
