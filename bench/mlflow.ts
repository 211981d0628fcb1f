/** Bare calls to MLflow's REST API, as the peer in the comparison. */
export function bareMlflow(uri: string) {
  async function call<T extends object>(path: string, body: object): Promise<T> {
    const answer = await fetch(`${uri}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`MLflow ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  return {
    createRun: async (experimentId: string) =>
      (
        await call<{ run: { info: { run_id: string } } }>("runs/create", {
          experiment_id: experimentId,
          start_time: Date.now(),
        })
      ).run.info.run_id,
    logMetric: (runId: string, key: string, value: number, step: number) =>
      call("runs/log-metric", { run_id: runId, key, value, step, timestamp: Date.now() }),
    logBatch: (runId: string, metrics: object[], tags: object[]) =>
      call("runs/log-batch", { run_id: runId, metrics, tags }),
  };
}
