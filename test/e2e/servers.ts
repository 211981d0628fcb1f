import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProvidedContext } from "vitest";
import type { TestProject } from "vitest/node";
import { freePort, type MlflowServer } from "../../scripts/lib/mlflow-server.ts";
import { makeRelay } from "../../scripts/lib/relay-process.ts";
import { makeDirect } from "../lib/direct-relay.ts";
import { startOwnMlflow } from "../lib/own-mlflow.ts";
import { startPythonHost } from "../lib/python-host.ts";
import type { Made } from "../lib/relay.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the MLflow that the files share, each in a workspace of its own. */
    mlflow: string;
    /** Where that server keeps its database. */
    mlflowDir: string;
    made: Made;
    /** A file that comes to be once all that is there; in it what went wrong, if anything. */
    ready: string;
  }
}

type Shared = {
  addresses: Pick<ProvidedContext, "mlflow" | "mlflowDir" | "made" | "ready">;
  stop(): Promise<void>;
};

declare global {
  /** Each project has this module for itself, and all are in one process. */
  var sharedServers: Promise<Shared> | undefined;
}

/**
 * Starts and makes once what every file needs. Nothing waits for it but who needs it, which is `lab.ts`: where MLflow
 * is still to be installed, other projects' tests run meanwhile.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  globalThis.sharedServers ??= share();
  const { addresses, stop } = await globalThis.sharedServers;
  project.provide("mlflow", addresses.mlflow);
  project.provide("mlflowDir", addresses.mlflowDir);
  project.provide("made", addresses.made);
  project.provide("ready", addresses.ready);
  return stop;
}

async function share(): Promise<Shared> {
  const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  const mlflowDir = join(dir, "mlflow");
  const port = await freePort();
  const made = { build: join(dir, "build"), state: join(dir, "state"), direct: join(dir, "direct") };
  const ready = join(dir, "ready");
  let mlflow: MlflowServer | undefined;
  const startShared = async () => {
    mlflow = await startOwnMlflow({ port, dataDir: mlflowDir, workers: 2, workspaces: true });
  };
  const hosts = Promise.allSettled([
    startPythonHost("3", join(dir, "python-3")),
    startPythonHost("2", join(dir, "python-2")),
  ]);
  let stopRelays: (() => Promise<void>) | undefined;
  const makeRelays = async () => {
    await makeRelay(made);
    stopRelays = await makeDirect(made.direct, made.build);
  };
  const starting = Promise.all([startShared(), makeRelays()])
    .then(
      () => "",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    .then(async (problem) => {
      await writeFile(`${ready}.new`, problem);
      await rename(`${ready}.new`, ready);
    });
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await starting;
    await stopRelays?.();
    await mlflow?.stop();
    for (const host of await hosts) if (host.status === "fulfilled") await host.value();
    await rm(dir, { recursive: true, force: true });
  };
  return {
    addresses: { mlflow: `http://127.0.0.1:${port}`, mlflowDir, made, ready },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
