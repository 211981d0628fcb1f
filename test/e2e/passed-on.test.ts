import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { runPython } from "../lib/python-script.ts";
import { ADMIN_TOKEN } from "../lib/relay.ts";
import { storedDigest } from "../lib/stored-file.ts";
import { until } from "../lib/until.ts";
import { type OwnLab, openOwnLab } from "./lab.ts";

/** What an unmodified MLflow client does with files and datasets, through the relay. */

const seen = z.object({
  run_id: z.string(),
  experiment_id: z.string(),
  uri: z.string(),
  weights: z.string(),
  failures: z.record(z.string(), z.string()),
  listed: z.union([z.array(z.string()), z.string()]),
  status: z.string(),
  downloaded: z.union([z.record(z.string(), z.string()), z.string()]),
  by_uri: z.string(),
  missing: z.string(),
});

const WEIGHTS = "model/weights (ü) 100%.bin";
const FILES = ["config.json", "empty.txt", WEIGHTS, "notes/a b.txt", "plots/loss.png", "table.json"];

let lab: OwnLab;
let dir: string;
beforeAll(async () => {
  lab = await openOwnLab({ MLFLOW_REQUEST_TIMEOUT: "30000" });
  dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
});
afterAll(async () => {
  await lab?.close();
  await rm(dir, { recursive: true, force: true });
});

async function train(vars: Record<string, string> = {}) {
  const own = await mkdtemp(join(dir, "train-"));
  const server = { MLFLOW_TRACKING_URI: lab.relay.url, MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN };
  return seen.parse(await runPython("artifact-client.py", [own], { ...server, ...vars }));
}

/** MLflow comes to have the files as the client was given them back, by their SHA-256. */
async function arrived(mlflowRunId: string, files: z.output<typeof seen>["downloaded"]): Promise<void> {
  for (const path of FILES) {
    const sha256 = typeof files === "object" ? files[path] : undefined;
    const isThere = async () => (await storedDigest(lab.trackingUri, mlflowRunId, path)) === sha256;
    await until(`MLflow has ${path}`, isThere);
  }
}

test("files, figures, tables, datasets and a model of a run that was made a moment ago reach MLflow, and come back as they were", async () => {
  const said = await train({ LARGE_BYTES: "24000000" });
  expect(said.failures).toEqual({});
  // Beside the model's own.
  expect(said.listed).toEqual(expect.arrayContaining(FILES));
  expect(Object.keys(said.downloaded)).toEqual(expect.arrayContaining(FILES));
  expect(said.downloaded).toMatchObject({ [WEIGHTS]: said.weights });
  expect(said.by_uri).toBe("über alles\n");
  expect(said.missing).toContain("nothing.txt");
  expect(said.uri).toBe(`mlflow-artifacts:/${said.experiment_id}/${said.run_id}/artifacts`);
  const { mlflow_run_id } = (await lab.relay.get(`/api/trials/${said.run_id}`)).body;
  const run = await lab.mlflow.client.getRun(String(mlflow_run_id));
  expect(run).toMatchObject({
    ok: true,
    value: {
      inputs: { datasets: [{ name: "six", tags: [{ key: "mlflow.data.context", value: "training" }] }] },
    },
  });
  await arrived(String(mlflow_run_id), said.downloaded);
});

test("while MLflow is away files and a model are taken and given back, and logging goes on", async () => {
  await lab.stopMlflow();
  const said = await train({ LARGE_BYTES: "80000000", EXPERIMENT: "away" });
  expect(said.failures).toEqual({});
  expect(said.listed).toEqual(expect.arrayContaining(FILES));
  expect(said.downloaded).toMatchObject({ [WEIGHTS]: said.weights });
  expect(said.by_uri).toBe("über alles\n");
  expect(said.missing).toContain("nothing.txt");
  expect(said.status).toBe("FINISHED");
  await lab.startMlflow();
  await until("the run is in MLflow", async () => {
    const { body } = await lab.relay.get(`/api/trials/${said.run_id}`);
    return body.sync_state === "synced";
  });
  const { mlflow_run_id } = (await lab.relay.get(`/api/trials/${said.run_id}`)).body;
  const run = await lab.mlflow.client.getRun(String(mlflow_run_id));
  expect(run).toMatchObject({ ok: true, value: { data: { metrics: [{ key: "loss", value: 0.5 }] } } });
  await arrived(String(mlflow_run_id), said.downloaded);
});
