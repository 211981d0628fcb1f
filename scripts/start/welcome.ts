type Facts = {
  relay: string;
  mlflow: string;
  mlflowLog: string | null;
  relayLog: string;
  tokenIsNew: boolean;
};

/** What to look at and what to try first, once everything runs. */
export function welcome({ relay, mlflow, mlflowLog, relayLog, tokenIsNew }: Facts): string {
  return `
  Trial Relay is running.

    dashboard      ${relay}
    API            ${relay}/docs
    readiness      ${relay}/ready
    MLflow         ${mlflow}
    token          ADMIN_TOKEN in .dev.vars${tokenIsNew ? " (just made)" : ""}
    logs           ${relayLog}${mlflowLog ? `, ${mlflowLog}` : ""}

  Try it in another terminal, in this folder: \`npm run demo\`, or

    curl -sS ${relay}/api/events/ml \\
      -H "Authorization: Bearer $(grep ^ADMIN_TOKEN= .dev.vars | cut -d= -f2-)" \\
      -H 'Content-Type: application/json' -d '[
      {"event":"ml.run.start","model_run_id":"first-run","requested_trials":1,"search_space_version":1},
      {"event":"ml.trial.start","model_run_id":"first-run","trial_id":"trial-1","spectral_norm":false,"parameters":{"lr":0.01}},
      {"event":"ml.run.metric","model_run_id":"first-run","trial_id":"trial-1","step":1,"metrics":{"loss":0.42}},
      {"event":"ml.trial.complete","model_run_id":"first-run","trial_id":"trial-1","spectral_norm":false,"metrics":{"accuracy":0.9}}]'

  Ctrl-C stops everything.
`;
}
