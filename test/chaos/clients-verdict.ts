import type { PostgresLab } from "../lib/lab.ts";
import type { HeardByClients } from "./clients.ts";
import { wrongFiles } from "./files-verdict.ts";
import type { Report } from "./traffic.ts";
import { judge } from "./verdict.ts";

/** What MLflow holds of what was logged with its protocol, and what of it should be otherwise. */
export async function lookAtClients(
  { mlflow, relay: { store } }: PostgresLab,
  experiment: string,
  reports: readonly Report[],
  heard: HeardByClients,
) {
  const dead = store
    .clientsDeadLetters()
    .map((letter) => ({ ...letter, trial_id: heard.trials.get(letter.trial_id ?? "") ?? null }))
    .filter(({ trial_id }) => trial_id !== null);
  const runs = await mlflow.runs(experiment);
  const verdict = judge(runs, reports, heard.acknowledged, dead);
  const active = runs.filter(({ lifecycleStage }) => lifecycleStage === "active");
  const wrong = await Promise.all(
    active.map(({ runId, tags: { thunderline_trial_id: trialId = "" } }) =>
      wrongFiles(mlflow, runId, trialId, heard.files.get(trialId) ?? new Map()),
    ),
  );
  const problems = [
    ...verdict.missing.map((item) => `missing of a client's: ${item}`),
    ...verdict.doubled.map((item) => `doubled of a client's: ${item}`),
    ...verdict.wrong.map((item) => `wrong of a client's: ${item}`),
    ...verdict.extraRuns.map((run) => `extra run of a client's: ${run}`),
    ...verdict.deadInVain.map((item) => `set aside without need of a client's: ${item}`),
    ...[...heard.refused].map((index) => `refused to a client: ${JSON.stringify(reports[index]?.event)}`),
    ...wrong.flat().map((file) => `of a client's: ${file}`),
  ];
  return { verdict, problems };
}
