import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type MlflowServer, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import type { Entry } from "../../scripts/lib/relay-config.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { MlflowReader } from "./mlflow-read.ts";
import { Postgres } from "./postgres.ts";
import { ensurePostgresDriver } from "./postgres-driver.ts";
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
export function openLab(vars: Record<string, string> = {}, entry: Partial<Entry> = {}): Promise<Lab> {
  return opening((opened) => build(opened, { vars, entry }));
}

export type PostgresLab = Lab & { postgres: Postgres };

/** The same with MLflow's store in a PostgreSQL, as in production. */
export function openPostgresLab(
  vars: Record<string, string> = {},
  entry: Partial<Entry> = {},
): Promise<PostgresLab> {
  return opening(async (opened) => {
    await ensurePostgresDriver();
    const postgres = await Postgres.start();
    opened.defer(() => postgres.destroy());
    return { ...(await build(opened, { vars, entry, store: postgres.storeUri })), postgres };
  });
}

/** Without a lab nobody could close what is open already, so a failure closes it. */
async function opening<T>(open: (opened: AsyncDisposableStack) => Promise<T>): Promise<T> {
  const opened = new AsyncDisposableStack();
  try {
    return await open(opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function build(
  opened: AsyncDisposableStack,
  { vars, entry, store }: { vars: Record<string, string>; entry?: Partial<Entry>; store?: string },
): Promise<Lab> {
  const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  opened.defer(() => rm(dir, { recursive: true, force: true }));
  const port = await freePort();
  const options = { port, dataDir: join(dir, "mlflow"), ...(store ? { store } : {}) };
  const trackingUri = `http://127.0.0.1:${port}`;
  const proxy = await FaultProxy.start(trackingUri);
  opened.defer(() => proxy.stop());

  let server: MlflowServer | undefined;
  const startServer = async () => {
    server = await startMlflow(options);
  };
  const stopServer = async () => server?.stop();
  opened.defer(stopServer);
  // The relay does not need MLflow to start, so both start at once.
  const relayStart = Relay.start(join(dir, "relay"), proxy.uri, vars, entry).then((relay) => {
    opened.defer(() => relay.destroy());
    return relay;
  });
  const [started, relay] = await Promise.allSettled([startServer(), relayStart]);
  if (started.status === "rejected") throw started.reason;
  if (relay.status === "rejected") throw relay.reason;
  return {
    relay: relay.value,
    proxy,
    mlflow: new MlflowReader(trackingUri),
    trackingUri,
    stopMlflow: stopServer,
    startMlflow: startServer,
    close: () => opened.disposeAsync(),
  };
}
