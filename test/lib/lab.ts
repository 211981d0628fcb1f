import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type MlflowServer } from "../../scripts/lib/mlflow-server.ts";
import { installBeside } from "./beside-mlflow.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { MlflowReader } from "./mlflow-read.ts";
import { startOwnMlflow } from "./own-mlflow.ts";
import { Postgres } from "./postgres.ts";

import { type More, Relay } from "./relay.ts";

/** A real MLflow, a proxy before it that can fail, and the real relay that knows only the proxy. */
export type Lab = {
  relay: Relay;
  proxy: FaultProxy;
  mlflow: MlflowReader;
  /** Of MLflow itself, past the proxy. */
  trackingUri: string;
  close(): Promise<void>;
};

/** A lab with a workspace of its own in an MLflow that others use too. */
export type SharedLab = Lab & { workspace: string };

/** A lab whose MLflow is its own. */
export type OwnLab = Lab & {
  /** Ends MLflow, as for maintenance; `startMlflow` brings it back with its data. */
  stopMlflow(): Promise<void>;
  startMlflow(): Promise<void>;
};

type Vars = Record<string, string>;

/** A lab with a server of its own, which can be stopped. */
export function openOwnLab(vars: Vars = {}, more: More = {}): Promise<OwnLab> {
  return opening((opened) => withServer(opened, vars, more));
}

export type PostgresLab = OwnLab & { postgres: Postgres };

/** The same with MLflow's store in a PostgreSQL, as in production. */
export function openPostgresLab(vars: Vars = {}, more: More = {}): Promise<PostgresLab> {
  return opening(async (opened) => {
    await installBeside("3", "postgres");
    const postgres = await Postgres.start();
    opened.defer(() => postgres.destroy());
    return { ...(await withServer(opened, vars, more, postgres.storeUri)), postgres };
  });
}

/**
 * A lab with a workspace of its own in a server that others use too: none sees anything of another.
 * @param server its address; it was started with workspaces
 */
export function openSharedLab(server: string, vars: Vars = {}, more: More = {}): Promise<SharedLab> {
  return opening(async (opened) => {
    const workspace = `lab-${randomUUID()}`;
    const made = await fetch(`${server}/api/3.0/mlflow/workspaces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: workspace }),
    });
    if (!made.ok) throw new Error(`MLflow makes no workspace: ${made.status} ${await made.text()}`);
    const upstream = { uri: server, headers: { "x-mlflow-workspace": workspace } };
    const direct = await FaultProxy.start(upstream.uri, upstream.headers);
    opened.defer(() => direct.stop());
    return { ...(await behindProxy(opened, upstream, direct.uri, vars, more)), workspace };
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

async function withServer(
  opened: AsyncDisposableStack,
  vars: Vars,
  more: More,
  store?: string,
): Promise<OwnLab> {
  const dir = await temporary(opened);
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}`;
  let server: MlflowServer | undefined;
  const startServer = async () => {
    server = await startOwnMlflow({ port, dataDir: dir, ...(store ? { store } : {}) });
  };
  const stopServer = async () => server?.stop();
  opened.defer(stopServer);
  // The relay does not need MLflow to start, so both start at once.
  const [started, lab] = await Promise.allSettled([
    startServer(),
    behindProxy(opened, { uri, headers: {} }, uri, vars, more),
  ]);
  if (started.status === "rejected") throw started.reason;
  if (lab.status === "rejected") throw lab.reason;
  return { ...lab.value, stopMlflow: stopServer, startMlflow: startServer };
}

/** @param trackingUri where MLflow is asked past the proxy that can fail */
async function behindProxy(
  opened: AsyncDisposableStack,
  upstream: { uri: string; headers: Record<string, string> },
  trackingUri: string,
  vars: Vars,
  more: More,
): Promise<Lab> {
  const proxy = await FaultProxy.start(upstream.uri, upstream.headers);
  opened.defer(() => proxy.stop());
  const relay = await Relay.start(join(await temporary(opened), "relay"), proxy.uri, vars, more);
  opened.defer(() => relay.destroy());
  const close = () => opened.disposeAsync();
  return { relay, proxy, mlflow: new MlflowReader(trackingUri), trackingUri, close };
}

async function temporary(opened: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  opened.defer(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
