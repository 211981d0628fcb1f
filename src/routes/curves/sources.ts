import type { CurveSource } from "../../answers/curves.ts";
import { missing } from "../../domain/problems.ts";
import { isoTime } from "../../domain/times.ts";
import {
  type RunSource,
  runSources,
  type TrialSource,
  trialSources,
} from "../../store/views/curve-sources.ts";
import { found, refusal } from "../door/query.ts";

/** Whose curves: trials, whose points are here, and runs that only MLflow has. */
export type Sources = { trials: TrialSource[]; runs: RunSource[] };

/**
 * Those that are asked for. A run of a trial is that trial.
 * @throws HttpFailure invalid_request where none is named, not_found with the first that there is none of
 */
export async function readSources(
  db: D1Database,
  asked: { trials?: string[] | undefined; runs?: string[] | undefined },
): Promise<Sources> {
  const { trials = [], runs = [] } = asked;
  if (trials.length + runs.length === 0) throw refusal([missing("trials")]);
  const knownRuns = runs.length === 0 ? [] : await runSources(db, runs);
  for (const id of runs)
    found(
      knownRuns.find(({ runId }) => runId === id),
      `run ${id}`,
    );
  const ids = [...new Set([...trials, ...knownRuns.flatMap(({ trial }) => trial ?? [])])];
  const known = await trialSources(db, ids);
  for (const id of ids)
    found(
      known.find((trial) => trial.id === id),
      `trial ${id}`,
    );
  return { trials: known, runs: knownRuns.filter(({ trial }) => trial === null) };
}

export function sourceViews({ trials, runs }: Sources): CurveSource[] {
  return [
    ...trials.map((trial) => ({
      trial: trial.id,
      run: trial.mlflowRunId,
      model_run_id: trial.modelRunId,
      trial_id: trial.trialId,
      run_name: trial.runName,
      status: trial.status,
      spectral_norm: trial.spectralNorm,
      origin: isoTime(trial.origin),
    })),
    ...runs.map((run) => ({
      trial: null,
      run: run.runId,
      model_run_id: null,
      trial_id: null,
      run_name: run.runName,
      status: run.status,
      spectral_norm: null,
      origin: isoTime(run.origin),
    })),
  ];
}
