import { withoutCredentials } from "../../config.ts";
import type { Deps } from "../../relay/deps.ts";

/** Where something is in MLflow's own pages; null where MLflow's address is not one that a browser opens. */
export function mlflowAddress(
  { config }: Pick<Deps, "config">,
  experimentId: string | null,
  runId: string | null = null,
): string | null {
  if (experimentId === null) return null;
  const server = withoutCredentials(config.mlflow.trackingUri);
  const run = runId === null ? "" : `/runs/${encodeURIComponent(runId)}`;
  return `${server}/#/experiments/${encodeURIComponent(experimentId)}${run}`;
}

/** A link there; without an address it says that MLflow does not have it yet. */
export function MlflowAnchor({ to, children = "Open in MLflow" }: { to: string | null; children?: string }) {
  if (to === null) return <span class="none">not in MLflow yet</span>;
  return (
    <a href={to} rel="noreferrer">
      {children} ↗
    </a>
  );
}
