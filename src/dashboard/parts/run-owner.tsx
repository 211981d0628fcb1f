type Trial = { id: string; model_run_id: string | null; trial_id: string | null };

/** Whose run it is: a trial's, a model run's, an MLflow client's own, or nobody's that the relay knows. */
export function RunOwner({ trial, modelRun }: { trial: Trial | null; modelRun: string | null }) {
  if (trial !== null)
    return trial.model_run_id === null ? (
      <a href={`/trials/${trial.id}`}>an MLflow client</a>
    ) : (
      <>
        <a href={`/trials/${trial.id}`}>{trial.trial_id}</a>
        <small>
          of <a href={`/model-runs/${encodeURIComponent(trial.model_run_id)}`}>{trial.model_run_id}</a>
        </small>
      </>
    );
  if (modelRun !== null) return <a href={`/model-runs/${encodeURIComponent(modelRun)}`}>{modelRun}</a>;
  return <span class="none">MLflow only</span>;
}
