import type { TrialFacts } from "../../../store/views/trial.ts";
import { Badge, DeliveryBadge } from "../../parts/badge.tsx";
import { Crumbs, Facts, Id } from "../../parts/facts.tsx";
import { MlflowAnchor } from "../../parts/mlflow-anchor.tsx";
import { duration, Time } from "../../parts/time.tsx";

const TEXT_CHARS = 20_000;

/** What a trial is, and where it belongs. */
export function TrialHead({ trial, there }: { trial: TrialFacts; there: string | null }) {
  const { model_run_id: modelRun, trial_id: id, run_name: name, spectral_norm: spectral } = trial;
  return (
    <>
      <Crumbs
        of={
          modelRun === null
            ? [["Experiments", "/experiments"]]
            : [
                ["Model runs", "/"],
                [modelRun, `/model-runs/${encodeURIComponent(modelRun)}`],
              ]
        }
      />
      <div class="heading">
        <h1>{name ?? id}</h1>
        <Badge word={trial.status} />
        {spectral !== null && (
          <span class="badge over">{spectral ? "spectral_norm" : "no spectral_norm"}</span>
        )}
        <DeliveryBadge of={trial} />
        <MlflowAnchor to={there} />
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
      <Facts
        rows={[
          ["Trial", <Id text={trial.trial_id} />],
          ["Started", <Time at={trial.started_at} />],
          [trial.lost_contact_at === null ? "Ended" : "Last heard", <Time at={trial.ended_at} />],
          ["Took", took === null ? null : duration(took)],
          ["Rank", trial.rank],
          ["Experiment", <Experiment of={trial} />],
          ["Run in MLflow", <Run id={trial.mlflow_run_id} />],
          ["Id", <Id text={trial.id} />],
        ]}
      />
    </div>
  );
}

function Experiment({ of: { mlflow_experiment_id: id, experiment_name: name } }: { of: TrialFacts }) {
  if (id === null) return <>{name ?? <span class="none">–</span>}</>;
  return <a href={`/experiments/${encodeURIComponent(id)}`}>{name ?? id}</a>;
}

function Run({ id }: { id: string | null }) {
  if (id === null) return <span class="none">none yet</span>;
  return (
    <a class="mono" href={`/runs/${encodeURIComponent(id)}`}>
      {id}
    </a>
  );
}

function durationOf({ duration_ms: told, started_at: from, ended_at: to }: TrialFacts): number | null {
  if (told !== null) return told;
  if (from === null || to === null) return null;
  return Date.parse(to) - Date.parse(from);
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
