import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { encodedPath } from "../../src/domain/artifact-path.ts";
import { unwrap } from "../lib/mlflow-read.ts";
import { trialOf } from "../lib/one-trial.ts";
import { type OwnLab, openOwnLab } from "./lab.ts";

/** Files of trials on their way to a real MLflow. */

const STORE = "/api/2.0/mlflow-artifacts/artifacts";
/** More than goes in one piece. */
const LARGE_BYTES = 100_000_000;

let lab: OwnLab;
beforeAll(async () => {
  lab = await openOwnLab({ MLFLOW_REQUEST_TIMEOUT: "5000", RELAY_BREAKER_FAILURES: "2" });
});
afterAll(() => lab?.close());

const file = z.object({
  path: z.string(),
  state: z.string().nullable(),
  error: z.string().nullable(),
  version: z.number().nullable(),
});
const listing = z.object({ files: z.array(file) });

class Trial {
  readonly study: string;
  id = "";

  private constructor(study: string) {
    this.study = study;
  }

  static async begin(study: string): Promise<Trial> {
    const { announce, start } = trialOf(study);
    await lab.relay.send([announce(), start()]);
    const trial = new Trial(study);
    await lab.relay.until("the trial is listed", async () => {
      const { body } = await lab.relay.get(`/api/trials?model_run_id=${study}`);
      const [first] = z.object({ trials: z.array(z.object({ id: z.string() })) }).parse(body).trials;
      trial.id = first?.id ?? "";
      return trial.id !== "";
    });
    return trial;
  }

  at(path: string): string {
    return `/api/trials/${this.id}/artifacts/${encodedPath(path)}`;
  }

  async put(path: string, body: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const answer = await lab.relay.fetch(this.at(path), {
      method: "PUT",
      body,
      headers: { "content-type": "text/plain" },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }

  async states(directory = "") {
    const query = directory === "" ? "" : `?path=${directory}`;
    const { body } = await lab.relay.get(`/api/trials/${this.id}/artifacts${query}`);
    return listing.parse(body).files;
  }

  async handedOver(directory = ""): Promise<void> {
    await lab.relay.until(`MLflow has the files of ${this.study}`, async () => {
      const files = await this.states(directory);
      return files.every(({ state }) => state === null || state === "delivered" || state === "mlflow");
    });
  }

  /** The root of its files in MLflow's artifact store. */
  async root(): Promise<string> {
    const { runId } = await lab.mlflow.trial(this.study, "t");
    return (
      unwrap(await lab.mlflow.client.getRun(runId)).info.artifactUri?.replace("mlflow-artifacts:/", "") ?? ""
    );
  }

  async inMlflow(path: string): Promise<Buffer | null> {
    const answer = await fetch(`${lab.trackingUri}${STORE}/${await this.root()}/${encodedPath(path)}`);
    return answer.status === 404 ? null : Buffer.from(await answer.arrayBuffer());
  }
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("while MLflow is there", () => {
  test("files arrive byte for byte, under their own names, and once", async () => {
    const trial = await Trial.begin("up");
    const files = {
      "notes.txt": Buffer.from("notes"),
      "empty.bin": Buffer.alloc(0),
      "model/weights (ü) 100%+&=?.bin": randomBytes(3_000_000),
      "model/deep/er/one.json": Buffer.from("{}"),
    };
    for (const [path, bytes] of Object.entries(files)) await trial.put(path, new Uint8Array(bytes));
    for (const directory of ["", "model", "model/deep/er"]) await trial.handedOver(directory);
    for (const [path, bytes] of Object.entries(files))
      expect([path, sha256((await trial.inMlflow(path)) ?? Buffer.from("none"))]).toEqual([
        path,
        sha256(bytes),
      ]);
  });

  test("a large one that cannot be is told why", async () => {
    const trial = await Trial.begin("refused");
    for (const path of ["a/%2e%2e/b", "x#y"]) {
      const answer = await lab.relay.fetch(trial.at(path), { method: "PUT", body: randomBytes(3_000_000) });
      expect([path, answer.status, await answer.json()]).toMatchObject([
        path,
        400,
        { errors: [{ field: "path" }] },
      ]);
    }
  });

  test("a large one goes through whole, and comes back in pieces", async () => {
    const trial = await Trial.begin("large");
    const bytes = new Uint8Array(LARGE_BYTES);
    for (let from = 0; from < LARGE_BYTES; from += 1_000_000) bytes.set(randomBytes(1_000_000), from);
    await trial.put("large.bin", bytes);
    await trial.handedOver();
    expect(sha256((await trial.inMlflow("large.bin")) ?? Buffer.from("none"))).toBe(sha256(bytes));
    const part = await lab.relay.fetch(trial.at("large.bin"), {
      headers: { range: "bytes=50000000-50000999" },
    });
    expect(part.status).toBe(206);
    expect(sha256(new Uint8Array(await part.arrayBuffer()))).toBe(
      sha256(bytes.subarray(50_000_000, 50_001_000)),
    );
  });

  test("other bytes replace them, and what is removed is removed", async () => {
    const trial = await Trial.begin("changes");
    await trial.put("a.txt", "first");
    await trial.put("b/c.txt", "c");
    await trial.handedOver();
    await trial.handedOver("b");
    await trial.put("a.txt", "second");
    await lab.relay.fetch(trial.at("b/c.txt"), { method: "DELETE" });
    await trial.handedOver();
    expect(String(await trial.inMlflow("a.txt"))).toBe("second");
    await lab.relay.until("it is removed", async () => (await trial.inMlflow("b/c.txt")) === null);
  });

  test("each call's answer may be lost once: it is done again, and comes to the same", async () => {
    const trial = await Trial.begin("cut");
    await lab.relay.delivered("cut");
    const root = await trial.root();
    const cuts = ["put.txt", "put2.txt"].map((path) =>
      lab.proxy.fail(
        { path: `${STORE}/${root}/${path}`, times: 1 },
        { kind: path === "put.txt" ? "cut" : "refuse" },
      ),
    );
    cuts.push(lab.proxy.fail({ path: "/get-artifact", times: 1 }, { kind: "cut" }));
    await trial.put("put.txt", "put");
    await trial.put("put2.txt", "put2");
    await lab.relay.until("both are handed over", async () => {
      const { files } = listing.parse((await lab.relay.get(`/api/trials/${trial.id}/artifacts`)).body);
      return files.filter(({ state }) => state === "delivered").length === 2;
    });
    lab.proxy.heal();
    expect(cuts.map(({ hits }) => hits())).toEqual([1, 1, 1]);
    expect([String(await trial.inMlflow("put.txt")), String(await trial.inMlflow("put2.txt"))]).toEqual([
      "put",
      "put2",
    ]);
  });
});

test("a large file on its way holds no metric up", async () => {
  const trial = await Trial.begin("apart");
  await lab.relay.delivered("apart");
  const stalled = lab.proxy.fail({ path: `${STORE}/${await trial.root()}/slow.bin` }, { kind: "drop" });
  await trial.put("slow.bin", randomBytes(1_000_000));
  await lab.relay.until("the file is on its way", () => stalled.hits() > 0);
  await lab.relay.send(trialOf("apart").metric(1, 0.5));
  await lab.relay.delivered("apart");
  expect((await trial.states()).find(({ path }) => path === "slow.bin")?.state).toBe("waiting");
  lab.proxy.heal();
  await trial.handedOver();
});

test("through an outage files are taken and shown, and arrive after it", async () => {
  const trial = await Trial.begin("outage");
  await trial.put("before.txt", "before");
  await trial.handedOver();
  await lab.stopMlflow();
  const bytes = randomBytes(2_000_000);
  await trial.put("during/one.bin", bytes);
  await trial.put("before.txt", "changed");
  expect(
    sha256(new Uint8Array(await (await lab.relay.fetch(trial.at("during/one.bin"))).arrayBuffer())),
  ).toBe(sha256(bytes));
  expect((await trial.states("during")).map(({ state }) => state)).toEqual(["waiting"]);
  await lab.relay.send(trialOf("outage").complete());
  await lab.startMlflow();
  await lab.relay.delivered("outage");
  await trial.handedOver();
  await trial.handedOver("during");
  expect(sha256((await trial.inMlflow("during/one.bin")) ?? Buffer.from("none"))).toBe(sha256(bytes));
  expect(String(await trial.inMlflow("before.txt"))).toBe("changed");
});
