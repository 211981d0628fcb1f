import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { V4MiniflareOptions, V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";
import { prepareRelay } from "../../scripts/lib/relay-config.ts";
import type { Launcher } from "../../scripts/lib/relay-process.ts";
import { spawnLeader } from "../../scripts/lib/wrangler.ts";

const PROGRAM = join(import.meta.dirname, "direct-relay-process.ts");
const OPTIONS = "options.json";

/**
 * Gets ready in `dir` what relays are started from without `wrangler dev`: that has a Worker of its own pass each request
 * on, and takes seconds of a processor to start. The options of the Worker are wrangler's own, made once for many relays.
 * @param build where the Worker was built
 */
export async function makeDirect(dir: string, build: string): Promise<void> {
  const { workerOptions, main, externalWorkers } = workerOptionsOf(await prepareRelay(dir, {}, {}, build));
  if (main === undefined || externalWorkers.length > 0) throw new Error("the Worker is not one, and alone");
  const { modulesRules: _, ...options } = workerOptions;
  const modules = [{ type: "ESModule", path: main }] as const;
  const worker = { name: "relay", ...options, modulesRoot: dirname(main), modules: [...modules] };
  await writeFile(join(dir, OPTIONS), JSON.stringify(worker satisfies V4WorkerOptions));
}

/** Starts relays from what `makeDirect` has put into `dir`; otherwise they are as `wrangler dev` has them. */
export function directly(dir: string): Launcher {
  return async ({ port, stateDir, vars }) => {
    const worker: V4WorkerOptions = JSON.parse(await readFile(join(dir, OPTIONS), "utf8"));
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
    return () => spawnLeader(PROGRAM, [file]);
  };
}
