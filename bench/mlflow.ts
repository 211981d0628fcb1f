import * as z from "zod";

const foundRun = z.object({
  run: z.object({ data: z.object({ tags: z.array(z.object({ value: z.string() })).default([]) }) }),
});
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
    /** With a token, it is a tag that MLflow writes last. */
    logBatch: async (runId: string, metrics: object[], token?: string): Promise<void> => {
      const tags = token === undefined ? [] : [{ key: "token", value: token }];
      await call("runs/log-batch", { run_id: runId, metrics, tags });
    },
    hasToken: async (runId: string, token: string): Promise<boolean> => {
      const answer = await fetch(`${uri}/api/2.0/mlflow/runs/get?run_id=${runId}`);
      return foundRun.parse(await answer.json()).run.data.tags.some(({ value }) => value === token);
    },
  };
}
