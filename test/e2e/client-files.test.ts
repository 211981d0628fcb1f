import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { runPython } from "../lib/python-script.ts";
import { ADMIN_TOKEN } from "../lib/relay.ts";
import { storedDigest } from "../lib/stored-file.ts";
import { type OwnLab, openOwnLab } from "./lab.ts";

/** Every way in which an unmodified MLflow client writes files, through the relay, in any weather; bytes are compared. */

const said = z.object({
  run_id: z.string(),
  failures: z.record(z.string(), z.string()),
  made: z.record(z.string(), z.string()),
  downloaded: z.record(z.string(), z.string()),
});
const WRITTEN = ["a.bin", "config.yaml", "images/one.png", "notes.txt", "plots/loss.png", "table.json"];
/** The image and a small one of it, both named by key, step, time and chance. */
const IMAGES_OF_A_STEP = 2;

let lab: OwnLab;
let dir: string;
beforeAll(async () => {
  lab = await openOwnLab({ MLFLOW_REQUEST_TIMEOUT: "5000", RELAY_BREAKER_FAILURES: "3" });
  dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
});
afterAll(async () => {
  await lab?.close();
  await rm(dir, { recursive: true, force: true });
});

/** As if the large one had 500 MB. */
const LARGE = {
  MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: "10000000",
  MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: "5242880",
};
/** Newer ones hear from the server that they may. */
const IN_PARTS = { "2": { MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: "true", ...LARGE }, "3": LARGE };

async function train(version: "2" | "3", EXPERIMENT: string) {
  const own = await mkdtemp(join(dir, "train-"));
  const server = { MLFLOW_TRACKING_URI: lab.relay.url, MLFLOW_TRACKING_TOKEN: ADMIN_TOKEN };
  const run = said.parse(
    await runPython("files-client.py", [own], { ...server, ...IN_PARTS[version], EXPERIMENT }, version),
  );
  expect(run.failures).toEqual({});
  expect(run.downloaded).toMatchObject(run.made);
  expect(lab.relay.store.parted()).toEqual(["made/large.bin"]);
  const isOfStep = (path: string) => path.startsWith("images/sample");
  const paths = Object.keys(run.downloaded);
  expect(paths.filter((path) => !isOfStep(path)).sort()).toEqual(
    [...WRITTEN, ...Object.keys(run.made)].sort(),
  );
  expect(paths.filter(isOfStep)).toHaveLength(IMAGES_OF_A_STEP);
  return run;
}

/** MLflow comes to have every file as the client was given it back. */
async function arrived({ run_id, downloaded }: z.output<typeof said>): Promise<void> {
  let mlflowRunId = "";
  await lab.relay.until("the run is in MLflow", async () => {
    const { body } = await lab.relay.get(`/api/trials/${run_id}`);
    mlflowRunId = String(body.mlflow_run_id ?? "");
    return mlflowRunId !== "";
  });
  for (const [path, sha256] of Object.entries(downloaded)) {
    const isThere = async () => (await storedDigest(lab.trackingUri, mlflowRunId, path)) === sha256;
    await lab.relay.until(`MLflow has ${path}`, isThere);
  }
}

describe.each(["3", "2"] as const)("MLflow's client %s", (version) => {
  test("while MLflow is there, the answer of each call of a hand-over lost once", async () => {
    const seen = new Set<string>();
    const cut = lab.proxy.fail(
      {
        when: ({ path }) => {
          const isFirst =
            /mlflow-artifacts\/artifacts\/|get-artifact|artifacts\/list/.test(path) && !seen.has(path);
          seen.add(path);
          return isFirst;
        },
      },
      { kind: "cut" },
    );
    const run = await train(version, `cut-${version}`);
    await arrived(run);
    lab.proxy.heal();
    expect(cut.hits()).toBeGreaterThan(8);
  });

  test("while MLflow is away, and when it is back", async () => {
    await lab.stopMlflow();
    const run = await train(version, `away-${version}`);
    await lab.startMlflow();
    await arrived(run);
  });
});
