import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { METRIC } from "../examples.ts";
import { wholeNumber, wholeNumberOr } from "./query.ts";

const MIN_POINTS = 2;
const MAX_POINTS = 50_000;
const DEFAULT_POINTS = 1_000;

const step = wholeNumber(MIN_STEP, MAX_STEP);

/** What every history of a metric takes. */
export const seriesQuery = {
  from_step: step.default(MIN_STEP).meta({ description: "The first step.", example: 0 }),
  to_step: step.default(MAX_STEP).meta({ description: "The last step.", example: 1000 }),
  max_points: wholeNumberOr(DEFAULT_POINTS, MIN_POINTS, MAX_POINTS).meta({
    description: "The most points; every bucket keeps its least and greatest value.",
    example: 500,
  }),
};

/** The metric, after whose it is. */
export const metricKey = {
  key: { description: "The metric's name; slashes in it need no escape.", example: METRIC },
};
