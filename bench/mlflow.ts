import * as z from "zod";

const createdRun = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });

/** Bare calls to MLflow's REST API, as the peer in the comparison. */
export function bareMlflow(uri: string) {
  async function call(path: string, body: object): Promise<unknown> {
    const answer = await fetch(`${uri}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`MLflow ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
  return {
    createRun: async (experimentId: string): Promise<string> => {
      const answer = await call("runs/create", { experiment_id: experimentId, start_time: Date.now() });
      return createdRun.parse(answer).run.info.run_id;
    },
    endRun: async (runId: string): Promise<void> => {
      await call("runs/update", { run_id: runId, status: "FINISHED", end_time: Date.now() });
    },
    logMetric: async (runId: string, key: string, value: number, step: number): Promise<void> => {
      await call("runs/log-metric", { run_id: runId, key, value, step, timestamp: Date.now() });
    },
    logParams: async (runId: string, params: Record<string, number>): Promise<void> => {
      const listed = Object.entries(params).map(([key, value]) => ({ key, value: String(value) }));
      await call("runs/log-batch", { run_id: runId, params: listed });
    },
    logBatch: async (runId: string, metrics: object[]): Promise<void> => {
      await call("runs/log-batch", { run_id: runId, metrics });
    },
  };
}
