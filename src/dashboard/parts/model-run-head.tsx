import type { Child } from "hono/jsx";
import type { ModelRun } from "../../answers/model-runs.ts";
import { Badge, DeliveryBadge } from "./badge.tsx";
import { Crumbs, Id } from "./facts.tsx";
import { MlflowAnchor } from "./mlflow-anchor.tsx";
import { shortNumber } from "./number.ts";
import { duration, Time } from "./time.tsx";
import { TrialBar } from "./trial-bar.tsx";

const PERCENT = 100;

/** `bestKey`: the public id of its best trial; `mlflow`: its run's address there. */
type Props = { run: ModelRun; bestKey: string | null; mlflow: string | null };

/** What there is to know of a model run at one glance. */
export function ModelRunHead({ run, bestKey, mlflow }: Props) {
  const { model_run_id: id, run_name: name, trials, counts } = run;
  const { blocked, waiting, pending, synced } = trials.by_sync_state;
  return (
    <>
      <Crumbs of={[["Model runs", "/"]]} />
      <div class="heading">
        <h1 dir="auto">{name ?? id}</h1>
        <Badge word={run.state} />
      </div>
      <dl class="glance">
        <Fact term="Id">
          <Id text={id} />
        </Fact>
        <Fact term="Trials">
          <TrialBar counts={trials.by_status} requested={run.requested_trials} />
        </Fact>
        <Fact term="Best">
          {run.best_metric === null ? <span class="none">–</span> : <b>{shortNumber(run.best_metric)}</b>}{" "}
          {run.best_trial_id !== null &&
            (bestKey === null ? (
              <span class="mono">{run.best_trial_id}</span>
            ) : (
              <a class="mono" href={`/trials/${bestKey}`}>
                {run.best_trial_id}
              </a>
            ))}
        </Fact>
        <Fact term="Spectral norm">
          <Adoption of={trials.by_spectral_norm} />
        </Fact>
        <Fact term="In MLflow">
          <DeliveryBadge of={run} />
          <MlflowAnchor to={mlflow} />
          <small>
            {`${synced} of ${trials.total} trials`}
            {pending + waiting > 0 && `, ${pending + waiting} on their way`}
            {blocked > 0 && `, ${blocked} blocked`}
          </small>
        </Fact>
        {counts.conflicts > 0 && <Fact term="Conflicts">{counts.conflicts}</Fact>}
        <Fact term="Experiment">
          {run.mlflow_experiment_id === null ? (
            (run.experiment_name ?? <span class="none">the default</span>)
          ) : (
            <a href={`/experiments/${run.mlflow_experiment_id}`}>{run.experiment_name}</a>
          )}
        </Fact>
        <Fact term="Begun">
          <Time at={run.started_at ?? run.created_at} />
        </Fact>
        {run.started_at !== null && run.ended_at !== null && (
          <Fact term="Took">{duration(Date.parse(run.ended_at) - Date.parse(run.started_at))}</Fact>
        )}
      </dl>
    </>
  );
}

function Fact({ term, children }: { term: string; children?: Child }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Adoption({ of }: { of: ModelRun["trials"]["by_spectral_norm"] }) {
  const said = of.true + of.false;
  if (said === 0) return <span class="none">no trial says</span>;
  return (
    <>
      {`${Math.round((of.true / said) * PERCENT)} %`} <small>{`${of.true} with, ${of.false} without`}</small>
    </>
  );
}
