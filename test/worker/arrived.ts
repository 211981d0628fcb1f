import { env } from "cloudflare:workers";

/** From now on a stream's run is in MLflow, with its files at an address. */
export async function arrived(
  key: string,
  { runId, root, experimentId = "1" }: { runId: string; root: string; experimentId?: string },
): Promise<void> {
  await env.DB.batch([
    env.DB.prepare("update streams set mlflow_run_id = ?2 where key = ?1").bind(key, runId),
    env.DB.prepare(
      `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, artifact_uri, synced_at)
       values (?1, ?3, 'RUNNING', 'active', ?2, 0) on conflict do update set artifact_uri = ?2`,
    ).bind(runId, root, experimentId),
  ]);
}
