import { beforeEach, describe, expect, it } from "vitest";
import { request } from "./api.ts";
import { call, newRun, runOf } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** MLflow takes any whole number for a run's start and end. So does the gateway, and everything goes on with them. */

beforeEach(emptied);

describe.each([-5, 0, 1_000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])("a time of %d ms", (ms) => {
  it("is shown, comes to MLflow, and stands in the way of nothing else", async () => {
    const w = gatewayWorld();
    const experiment_id = await w.experiment();
    const run_id = await newRun({ experiment_id, start_time: ms });
    await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: Math.max(ms, 0) });
    await call("runs/update", { run_id, status: "FINISHED", end_time: ms });
    expect((await runOf(run_id)).info).toMatchObject({ start_time: ms, status: "FINISHED" });
    expect(await w.deliver()).toBe(true);
    const [run] = w.mlflow.runs.values();
    expect(run).toMatchObject({ startTime: ms, endTime: ms, status: "FINISHED" });
    const paths = [
      `/api/trials/${run_id}`,
      "/api/trials",
      `/api/curves/metrics?trials=${run_id}`,
      `/api/trial-table?trials=${run_id}`,
    ];
    for (const path of paths) {
      const { status } = await request(path);
      expect(status).toBe(200);
    }
    await call("runs/set-tag", { run_id, key: "later", value: "1" });
    expect(await w.deliver()).toBe(true);
    expect(run?.tags.get("later")).toBe("1");
  });
});
