import type { CurveShown, Curves } from "../../answers/curves.ts";
import { type CurvePoint, joinCurve } from "../../domain/curve.ts";
import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { invalid, missing } from "../../domain/problems.ts";
import type { Deps } from "../../relay/deps.ts";
import type { Window } from "../../store/journal/chunk-window.ts";
import { curveKeys } from "../../store/views/curve-sources.ts";
import { readCurves, readNewPoints } from "../../store/views/curves.ts";
import { answerOnce } from "../door/conditional.ts";
import { refusal } from "../door/query.ts";
import type { Asked } from "../handler.ts";
import { routes } from "../route.ts";
import { curves } from "./contract.ts";
import { readInMlflow } from "./in-mlflow.ts";
import { readSources, type Sources, sourceViews } from "./sources.ts";

const MAX_LISTED_KEYS = 5_000;
const MAX_CURVES = 100;
/** How long a run that MLflow may still add to counts as unchanged. */
const FRESH_MS = 30_000;

export const curveRoutes = routes(curves, {
  listCurves: async ({ c, relay, query }) => {
    const sources = await readSources(relay.db, query);
    await answerOnce(c, marksOf(sources, relay.now()));
    const [trials, runs] = [
      sources.trials.map(({ streamId }) => streamId),
      sources.runs.map(({ runId }) => runId),
    ];
    const keys = await curveKeys(relay.db, trials, runs, MAX_LISTED_KEYS + 1);
    return {
      sources: sourceViews(sources),
      metrics: keys.slice(0, MAX_LISTED_KEYS),
      truncated: keys.length > MAX_LISTED_KEYS,
    };
  },
  readCurves: async ({ c, relay, query }) => {
    const { keys } = query;
    if (!keys) throw refusal([missing("keys")]);
    const count = ((query.trials?.length ?? 0) + (query.runs?.length ?? 0)) * keys.length;
    if (count > MAX_CURVES)
      throw refusal([invalid(["keys"], `must come to at most ${MAX_CURVES} curves of all trials`, count)]);
    const sources = await readSources(relay.db, query);
    await answerOnce(c, marksOf(sources, relay.now()));
    // Of runs alone there is none, and nothing comes after it.
    const seq = sources.trials.map(({ lastSeq }) => lastSeq).join("-") || "0";
    return query.after === undefined
      ? { seq, reset: false, curves: await drawnCurves(relay, sources, keys, query) }
      : { seq, ...(await newCurves(relay, sources, keys, query.after)) };
  },
});

type Query = Asked<(typeof curves)["contracts"]["readCurves"]>["query"];

/** What an answer about them depends on. */
function marksOf({ trials, runs }: Sources, now: number): unknown[] {
  const isOpen = (status: string) => status === "RUNNING" || status === "SCHEDULED";
  return [trials, runs.map((run) => [run, isOpen(run.status) ? Math.floor(now / FRESH_MS) : null])];
}

/** Whole curves, or a part of them. Those of trials that were pruned, and of runs, are read from MLflow. */
async function drawnCurves(
  relay: Deps,
  { trials, runs }: Sources,
  keys: readonly string[],
  query: Query,
): Promise<CurveShown[]> {
  const max = query.max_points;
  const asked = trials.flatMap((source) =>
    keys.map((key) => ({ source, key, window: windowOf(query, source.origin) })),
  );
  const own = await readCurves(relay.db, asked, max, relay.now());
  const elsewhere = [
    ...asked.flatMap(({ source, key, window }, i) =>
      own[i]?.isWhole === false && source.mlflowRunId !== null
        ? [{ trial: source.id, runId: source.mlflowRunId, key, window }]
        : [],
    ),
    ...runs.flatMap(({ runId, origin }) =>
      keys.map((key) => ({ trial: null, runId, key, window: windowOf(query, origin) })),
    ),
  ];
  const inMlflow = new Map(
    (await readInMlflow(relay, elsewhere, max)).map((read, i) => [elsewhere[i], read]),
  );
  const ofTrials = asked.map(({ source, key }, i) => {
    const found = inMlflow.get(elsewhere.find((one) => one.trial === source.id && one.key === key));
    const { points = [], isThinned = false } = own[i] ?? {};
    return curveView(
      { trial: source.id, run: source.mlflowRunId, key },
      {
        points: found ? joinCurve([points, found.points], max) : points,
        isThinned: isThinned || (found?.isThinned ?? false),
        unavailable: found?.unavailable ?? null,
      },
    );
  });
  const ofRuns = [...inMlflow].flatMap(([one, read]) =>
    one?.trial === null ? [curveView({ trial: null, run: one.runId, key: one.key }, read)] : [],
  );
  return [...ofTrials, ...ofRuns].filter(isShown);
}

/** Only what came after an event of each trial; of runs that only MLflow has nothing comes by itself. */
async function newCurves(
  { db }: Deps,
  { trials }: Sources,
  keys: readonly string[],
  after: readonly number[],
): Promise<Pick<Curves, "reset" | "curves">> {
  const asked = trials.flatMap((source) => keys.map((key) => ({ source, key, window: null })));
  const seen = new Map(trials.map((source, i) => [source, after[i] ?? 0]));
  // An earlier build gave one number for them all.
  const isOfThese = after.length === Math.max(1, trials.length);
  const news = isOfThese ? await readNewPoints(db, asked, ({ source }) => seen.get(source) ?? 0) : null;
  if (news === null) return { reset: true, curves: [] };
  const views = asked.map(({ source, key }, i) => {
    const points = news[i] ?? [];
    return curveView(
      { trial: source.id, run: source.mlflowRunId, key },
      {
        points,
        isThinned: false,
        unavailable: null,
      },
    );
  });
  return { reset: false, curves: views.filter(isShown) };
}

function curveView(
  of: { trial: string | null; run: string | null; key: string },
  {
    points,
    isThinned,
    unavailable,
  }: { points: CurvePoint[]; isThinned: boolean; unavailable: string | null },
): CurveShown {
  return {
    ...of,
    steps: points.map(([step]) => step),
    timestamps: points.map(([, timestamp]) => timestamp),
    values: points.map(([, , value]) => value),
    thinned: isThinned,
    unavailable,
  };
}

const isShown = ({ steps, unavailable }: CurveShown) => steps.length > 0 || unavailable !== null;

/** @param origin epoch milliseconds */
function windowOf({ axis, from, to }: Query, origin: number): Window | null {
  if (from === undefined && to === undefined) return null;
  const asked: [number, number] = [from ?? MIN_STEP, to ?? MAX_STEP];
  const everything: [number, number] = [MIN_STEP, MAX_STEP];
  switch (axis) {
    case "step":
      return { steps: asked, times: everything };
    case "time":
      return { steps: everything, times: asked };
    case "relative":
      return { steps: everything, times: [clampedMs(asked[0] + origin), clampedMs(asked[1] + origin)] };
  }
}

const clampedMs = (ms: number) => Math.min(MAX_STEP, Math.max(MIN_STEP, ms));
