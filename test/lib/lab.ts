import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type MlflowServer, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import type { Entry } from "../../scripts/lib/relay-config.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { MlflowReader } from "./mlflow-read.ts";
import { Relay } from "./relay.ts";

/** A real MLflow, a proxy before it that can fail, and the real relay that knows only the proxy. */
export type Lab = {
  relay: Relay;
  proxy: FaultProxy;
  mlflow: MlflowReader;
  /** Of MLflow itself, past the proxy. */
  trackingUri: string;
  /** Ends MLflow, as for maintenance; `startMlflow` brings it back with its data. */
  stopMlflow(): Promise<void>;
  startMlflow(): Promise<void>;
  close(): Promise<void>;
};

/** @param entry another entry of the Worker than wrangler.toml's */
export async function openLab(vars: Record<string, string> = {}, entry: Partial<Entry> = {}): Promise<Lab> {
  const opened = new AsyncDisposableStack();
  try {
    const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
    opened.defer(() => rm(dir, { recursive: true, force: true }));
    const options = { version: "3", port: await freePort(), dataDir: join(dir, "mlflow") } as const;
    let server: MlflowServer = await startMlflow(options);
    opened.defer(() => server.stop());
    const proxy = await FaultProxy.start(server.uri);
    opened.defer(() => proxy.stop());
    const relay = await Relay.start(join(dir, "relay"), proxy.uri, vars, entry);
    opened.defer(() => relay.destroy());
    return {
      relay,
      proxy,
      mlflow: new MlflowReader(server.uri),
      trackingUri: server.uri,
      stopMlflow: () => server.stop(),
      startMlflow: async () => {
        server = await startMlflow(options);
      },
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    // Without a lab nobody could close what is open already.
    await opened.disposeAsync();
    throw error;
  }
}
