import type { Owner } from "../../answers/parts.ts";

/** Whose something is, with the way there. */
export function OwnerAnchor({ of }: { of: Owner }) {
  const modelRun = of.model_run_id === null ? null : `/model-runs/${encodeURIComponent(of.model_run_id)}`;
  return (
    <span class="owner">
      {modelRun !== null && <a href={modelRun}>{of.model_run_id}</a>}
      {of.trial !== null && (
        <>
          {modelRun !== null && " / "}
          <a href={`/trials/${of.trial}`}>{of.trial_id ?? of.trial}</a>
        </>
      )}
    </span>
  );
}
