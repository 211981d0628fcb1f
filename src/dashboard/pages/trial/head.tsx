import type { TrialFacts } from "../../../store/views/trial.ts";
import { Badge, DeliveryBadge } from "../../parts/badge.tsx";
import { duration, Time } from "../../parts/time.tsx";

const TEXT_CHARS = 20_000;

/** What a trial is, and where it belongs. */
export function TrialHead({ trial, mlflowUrl }: { trial: TrialFacts; mlflowUrl: string | null }) {
  const { model_run_id: modelRun, trial_id: id, run_name: name, spectral_norm: spectral } = trial;
  return (
    <>
      <nav class="crumbs" aria-label="Where this is">
        {modelRun === null ? (
          <a href="/experiments">Runs of MLflow clients</a>
        ) : (
          <a href={`/model-runs/${encodeURIComponent(modelRun)}`}>{modelRun}</a>
        )}{" "}
        / <span class="mono">{id}</span>
      </nav>
      <div class="heading">
        <h1>{name ?? id}</h1>
        <Badge word={trial.status} />
        {spectral !== null && (
          <span class="badge over">{spectral ? "spectral_norm" : "no spectral_norm"}</span>
        )}
        <DeliveryBadge of={trial} />
        {mlflowUrl !== null && (
          <a class="button" href={mlflowUrl} rel="noreferrer">
            Open in MLflow ↗
          </a>
        )}
      </div>
      {trial.unreadable !== null && (
        <p class="problem" role="alert">
          Part of this trial ({trial.unreadable.part}) cannot be read here: {trial.unreadable.reason}
        </p>
      )}
    </>
  );
}

/** When it was, and where it is. */
export function TrialTimes({ trial }: { trial: TrialFacts }) {
  const took = durationOf(trial);
  return (
    <div class="panel">
      <dl class="facts">
        <dt>Started</dt>
        <dd>
          <Time at={trial.started_at} />
        </dd>
        <dt>Ended</dt>
        <dd>
          <Time at={trial.ended_at} />
          {trial.lost_contact_at !== null && " (its trainer was last heard then)"}
        </dd>
        {took !== null && (
          <>
            <dt>Took</dt>
            <dd>{duration(took)}</dd>
          </>
        )}
        {trial.rank !== null && (
          <>
            <dt>Rank</dt>
            <dd>{trial.rank}</dd>
          </>
        )}
        <dt>Experiment</dt>
        <dd>
          {trial.mlflow_experiment_id === null ? (
            (trial.experiment_name ?? <span class="none">–</span>)
          ) : (
            <a href={`/experiments/${encodeURIComponent(trial.mlflow_experiment_id)}`}>
              {trial.experiment_name ?? trial.mlflow_experiment_id}
            </a>
          )}
        </dd>
        <dt>Run in MLflow</dt>
        <dd>
          {trial.mlflow_run_id === null ? (
            <span class="none">none yet</span>
          ) : (
            <a class="mono" href={`/runs/${encodeURIComponent(trial.mlflow_run_id)}`}>
              {trial.mlflow_run_id}
            </a>
          )}
        </dd>
        <dt>Id</dt>
        <dd class="mono" data-copy={trial.id}>
          {trial.id}{" "}
        </dd>
      </dl>
    </div>
  );
}

function durationOf({ duration_ms: told, started_at: from, ended_at: to }: TrialFacts): number | null {
  if (told !== null) return told;
  if (from === null || to === null) return null;
  return Math.max(0, Date.parse(to) - Date.parse(from));
}

/** The trainer's own words. */
export function WhyItFailed({ fields }: { fields: TrialFacts["fields"] }) {
  const text = (name: string) => {
    const value = fields[name];
    return typeof value === "string" ? value.slice(0, TEXT_CHARS) : null;
  };
  const [message, type, trace] = [text("error_message"), text("error_type"), text("stacktrace")];
  if (message === null && type === null && trace === null) return null;
  return (
    <div class="panel failed">
      <h2>{type ?? "Why it failed"}</h2>
      {message !== null && <p>{message}</p>}
      {trace !== null && (
        <details>
          <summary>Stack trace</summary>
          <pre tabindex={0}>{trace}</pre>
        </details>
      )}
    </div>
  );
}
