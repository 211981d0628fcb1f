import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { verifyStream } from "../../src/relay/repair/verify.ts";
import { mergeWorld } from "./merge-world.ts";

const statusOf = (id: number) =>
  env.DB.prepare("select status, ended_at as endedAt from trials where id = ?1").bind(id).first();

/** As by a client of MLflow's own that ends the run once more. */
describe("the end of a run that is moved in MLflow, where its status stays", () => {
  test.each(["succeeded", "failed", "skipped"] as const)("is taken over: %s", async (ends) => {
    const { trial, mlflow, deps } = mergeWorld();
    const { run, say, deliver, pull, id, conflicts } = await trial();
    await say({ ends, endedAt: 1_700_000_000_000 });
    await deliver();
    run.endTime = 1_700_000_005_000;
    expect(await pull()).toEqual({ kind: "merged", accepted: 1, conflicts: 0 });
    expect(await statusOf(id)).toEqual({ status: ends, endedAt: 1_700_000_005_000 });
    mlflow.calls.length = 0;
    await deliver();
    expect(mlflow.calls.filter((call) => !call.startsWith("runs/get"))).toEqual([]);
    expect(await verifyStream(deps, id)).toMatchObject({ verdict: "confirmed" });
    expect(await pull()).toEqual({ kind: "same" });
    expect(await conflicts()).toEqual([]);
  });
});
