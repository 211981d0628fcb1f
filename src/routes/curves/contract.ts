import * as z from "zod";
import { curveList, curves as curvesAnswer } from "../../answers/curves.ts";
import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { ok, resource } from "../contract.ts";
import { maybe, oneOf, wholeNumber, wholeNumberOr } from "../door/query.ts";
import { METRIC, TRIAL_KEY } from "../examples.ts";

const MAX_TRIALS = 50;
/** Each is read from MLflow where it was not read before. */
const MAX_RUNS = 20;
const MAX_KEYS = 50;
const MIN_POINTS = 4;
const MAX_POINTS = 2_000;
const DEFAULT_POINTS = 1_000;

export const AXES = ["step", "time", "relative"] as const;

/** Several values with commas between them: none of what is named has one. */
function several(most: number) {
  const rule = `must be 1 to ${most} values with commas between them, each once`;
  return z
    .string()
    .transform((text) => text.split(","))
    .refine(
      (all) => all.length <= most && new Set(all).size === all.length && all.every((one) => one !== ""),
      rule,
    );
}

const sources = {
  trials: maybe(several(MAX_TRIALS), `Public ids of trials, at most ${MAX_TRIALS}.`, TRIAL_KEY),
  runs: maybe(several(MAX_RUNS), `MLflow's ids of runs, at most ${MAX_RUNS}.`),
};

/** The last events that were seen, of one trial after the other. */
const places = z
  .string()
  .regex(/^\d{1,15}(-\d{1,15})*$/, "must be the seq of an earlier answer, unchanged")
  .transform((text) => text.split("-").map(Number));
const place = wholeNumber(MIN_STEP, MAX_STEP);

const curvesQuery = {
  ...sources,
  keys: maybe(several(MAX_KEYS), `Names of metrics, at most ${MAX_KEYS}; always to be given.`, METRIC),
  axis: oneOf(AXES)
    .default("step")
    .describe(
      "What `from` and `to` are: steps, epoch milliseconds, or milliseconds since the origin of each.",
    ),
  from: maybe(place, "Only points from here on, in more detail."),
  to: maybe(place, "Only points up to here, in more detail."),
  max_points: wholeNumberOr(DEFAULT_POINTS, MIN_POINTS, MAX_POINTS).meta({
    description: "The most points of a curve; every bucket keeps its least and greatest value.",
    example: 500,
  }),
  after: maybe(
    places,
    "The `seq` of an earlier answer: only the points that came since, none thinned, for trials.",
  ),
};

/** `/api/curves`: what is drawn of several metrics of several trials. */
export const curves = resource(
  "Curves",
  "Histories of metrics to be drawn: several of several trials at once, thinned. Points are here from their acceptance on.",
  {
    listCurves: {
      at: "GET /api/curves/metrics",
      summary: "List the metrics of some trials",
      scope: "read",
      query: sources,
      answers: ok("The trials, and the names of their metrics.", curveList),
      refusals: [404],
    },
    readCurves: {
      at: "GET /api/curves",
      summary: "Read several metrics of several trials",
      description:
        "At most 100 curves at once. The answer has an `ETag`; with `If-None-Match` it is 304 while nothing came.",
      scope: "read",
      query: curvesQuery,
      answers: ok("The curves.", curvesAnswer),
      refusals: [404],
    },
  },
);
