import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type MlflowServer, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { MlflowReader } from "./mlflow-read.ts";
import { Relay } from "./relay.ts";

/** A real MLflow, a proxy before it that can fail, and the real relay that knows only the proxy. */
export type Lab = {
  relay: Relay;
  proxy: FaultProxy;
  mlflow: MlflowReader;
  /** Ends MLflow, as for maintenance; `startMlflow` brings it back with its data. */
  stopMlflow(): Promise<void>;
  startMlflow(): Promise<void>;
  close(): Promise<void>;
};

/** @param entry another entry of the Worker than wrangler.toml's */
export async function openLab(
  vars: Record<string, string> = {},
  entry: { main?: string } = {},
): Promise<Lab> {
  const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  const options = { version: "3", port: await freePort(), dataDir: join(dir, "mlflow") } as const;
  let server: MlflowServer = await startMlflow(options);
  const proxy = await FaultProxy.start(server.uri);
  const relay = await Relay.start(join(dir, "relay"), proxy.uri, vars, entry);
  return {
    relay,
    proxy,
    mlflow: new MlflowReader(server.uri),
    stopMlflow: () => server.stop(),
    startMlflow: async () => {
      server = await startMlflow(options);
    },
    close: async () => {
      await relay.destroy();
      await proxy.stop();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
