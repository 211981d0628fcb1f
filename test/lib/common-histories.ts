import * as z from "zod";
import { parseJson } from "../../src/mlflow/json.ts";
import type { Run } from "../../src/mlflow/types.ts";

/** Of a metric of a run. */
export type Observation = { step: number | bigint; timestamp: number; value: number };
/** By metric and run; what is not there is still to be read. */
export type Histories = ReadonlyMap<string, ReadonlyMap<string, readonly Observation[]>>;

/** What MLflow takes and gives at once. */
const MOST_RUNS = 100;
const MOST_POINTS = 25_000;
/** Here MLflow writes what is no JSON. */
const BARE_NAN = /(?<="value": ?)NaN/g;

const answered = z.object({
  metrics: z.array(
    z.object({
      run_id: z.string(),
      step: z.union([z.number(), z.bigint()]),
      timestamp: z.number(),
      value: z.union([z.number(), z.literal("NaN").transform(Number)]),
    }),
  ),
});

/**
 * The histories of the metrics that several of the runs have, each read at once for many runs, as MLflow's own pages
 * do it: a study of forty trials takes as many calls as one of them has metrics.
 * @param uri of MLflow
 */
export async function commonHistories(uri: string, runs: readonly Run[]): Promise<Histories> {
  const named = runs.flatMap(({ info, data }) => data.metrics.map(({ key }) => ({ key, runId: info.runId })));
  const histories = new Map<string, Map<string, readonly Observation[]>>();
  for (const [key, holders] of Map.groupBy(named, ({ key }) => key)) {
    if (holders.length === 1) continue;
    const ofRuns = new Map<string, readonly Observation[]>();
    for (let from = 0; from < holders.length; from += MOST_RUNS) {
      const runIds = holders.slice(from, from + MOST_RUNS).map(({ runId }) => runId);
      for (const [runId, history] of await readPart(uri, key, runIds)) ofRuns.set(runId, history);
    }
    histories.set(key, ofRuns);
  }
  return histories;
}

/** Nothing where there may be more than MLflow gives at once. */
async function readPart(
  uri: string,
  key: string,
  runIds: readonly string[],
): Promise<Map<string, readonly Observation[]>> {
  const query = new URLSearchParams([["metric_key", key], ...runIds.map((id) => ["run_id", id])]);
  const answer = await fetch(`${uri}/ajax-api/2.0/mlflow/metrics/get-history-bulk?${query}`);
  if (!answer.ok) throw new Error(`the histories of ${key}: ${answer.status} ${await answer.text()}`);
  const text = (await answer.text()).replaceAll(BARE_NAN, '"NaN"');
  const { metrics } = answered.parse(parseJson(text));
  if (metrics.length >= MOST_POINTS) return new Map();
  const byRun = Map.groupBy(metrics, ({ run_id }) => run_id);
  return new Map(runIds.map((id) => [id, byRun.get(id) ?? []]));
}
