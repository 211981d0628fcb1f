import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { V4MiniflareOptions, V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";
import { prepareRelay } from "../../scripts/lib/relay-config.ts";
import type { Launcher } from "../../scripts/lib/relay-process.ts";
import { LogTail, spawnLeader } from "../../scripts/lib/wrangler.ts";
import { until } from "./until.ts";

const HOST = join(import.meta.dirname, "direct-relay-host.ts");
const BRIDGE = join(import.meta.dirname, "direct-relay-bridge.ts");
/** In the folder that was made: where the host listens. */
const SOCKET = "host";
const OPTIONS = "options.json";
const START_LIMIT_MS = 60_000;

/**
 * Gets ready in `dir` what relays are started from without `wrangler dev`: that has a Worker of its own pass each request
 * on, and takes seconds of a processor to start. The options of the Worker are wrangler's own, made once for many relays.
 * @param build where the Worker was built
 * @returns ends the process that runs them, and all of them with it
 */
export async function makeDirect(dir: string, build: string): Promise<() => Promise<void>> {
  const { workerOptions, main, externalWorkers } = workerOptionsOf(await prepareRelay(dir, {}, {}, build));
  if (main === undefined || externalWorkers.length > 0) throw new Error("the Worker is not one, and alone");
  const { modulesRules: _, ...options } = workerOptions;
  const modules = [{ type: "ESModule", path: main }] as const;
  const worker = { name: "relay", ...options, modulesRoot: dirname(main), modules: [...modules] };
  await writeFile(join(dir, OPTIONS), JSON.stringify(worker satisfies V4WorkerOptions));
  return startHost(join(dir, SOCKET));
}

async function startHost(socket: string): Promise<() => Promise<void>> {
  const host = spawnLeader(HOST, [socket]);
  const log = new LogTail();
  log.follow(host);
  const ended = once(host, "exit");
  const isListening = () => {
    if (host.exitCode !== null) throw new Error(`what runs the relays did not start:\n${log.tail()}`);
    return existsSync(socket);
  };
  await until("what runs the relays listens", isListening, () => log.tail(), START_LIMIT_MS);
  return async () => {
    // Its stdin's end is its own, and that of all that it has started.
    host.stdin?.end();
    await ended;
  };
}

/**
 * Starts relays from what `makeDirect` has put into `dir`; otherwise they are as `wrangler dev` has them.
 * @param withAssets whether what a browser loads is served too: by two Workers of wrangler's before the relay's, whose
 * look at each request takes a third of the time
 */
export function directly(dir: string, withAssets: boolean): Launcher {
  return async ({ port, stateDir, vars }) => {
    const made: V4WorkerOptions = JSON.parse(await readFile(join(dir, OPTIONS), "utf8"));
    const { assets: _, ...bare } = made;
    const worker = withAssets ? made : bare;
    const own = join(stateDir, "relay");
    const options: V4MiniflareOptions = {
      host: "127.0.0.1",
      port,
      rootPath: dir,
      resourcePersistencePath: join(stateDir, "v3"),
      resourceTmpPath: join(own, "tmp"),
      unsafeTriggerHandlers: true,
      logRequests: false,
      // Where a request comes from is asked of Cloudflare otherwise.
      cf: false,
      workers: [{ ...worker, bindings: { ...worker.bindings, ...vars } }],
    };
    await rm(own, { recursive: true, force: true });
    await mkdir(own, { recursive: true, mode: 0o700 });
    const file = join(own, OPTIONS);
    await writeFile(file, JSON.stringify(options), { mode: 0o600 });
    return () => spawnLeader(BRIDGE, [join(dir, SOCKET), file]);
  };
}
