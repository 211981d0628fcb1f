import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { buildDashboard, DASHBOARD_ASSETS } from "./dashboard-build.ts";
import { devVarLine } from "./dev-vars.ts";
import { runWrangler } from "./wrangler.ts";
import { readWranglerConfig, type WranglerConfig } from "./wrangler-config.ts";

/** Where a relay's copy of the dashboard's assets is, beside its configuration. */
const ASSETS = "assets";

/** What of wrangler.toml another build of the Worker differs in; `main` is from the root of the repository. */
export type Entry = Pick<WranglerConfig, "main" | "compatibility_flags">;

/**
 * Builds the Worker into `dir` and writes a configuration beside it; answers that file's path.
 *
 * Apart from the repository for two reasons. Wrangler watches what it runs: an edit in `src` must not restart a
 * relay, which would lose its queued messages. And with `[secrets]` declared it hands on only declared names, so
 * each of `vars` has to be declared; as secrets they are shown neither in the log nor by `ps`.
 * @param built where `buildWorker` has put the same entry's build before; otherwise it is built now
 */
export async function prepareRelay(
  dir: string,
  vars: Record<string, string>,
  entry: Partial<Entry> = {},
  built?: string,
): Promise<string> {
  const config = { ...readWranglerConfig(), ...entry };
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const build = join(dir, "build");
  await (built === undefined ? buildWorker(build, config.main) : cp(built, build, { recursive: true }));
  await cp(DASHBOARD_ASSETS, join(dir, ASSETS), { recursive: true });

  const file = join(dir, "wrangler.json");
  await writeFile(file, JSON.stringify(localConfig(config, vars), null, 2));
  const lines = Object.entries(vars).map(([name, value]) => devVarLine(name, value));
  await writeFile(join(dir, ".dev.vars"), lines.join(""), { mode: 0o600 });
  return file;
}

/** Builds a Worker into `dir`, wrangler.toml's unless told, and the dashboard's assets to where they are copied from. */
export async function buildWorker(dir: string, main = readWranglerConfig().main): Promise<void> {
  await buildDashboard();
  await runWrangler(["deploy", main, "--dry-run", "--outdir", dir]);
}

/**
 * The local queue hands out one batch after the other, and begins to wait for more messages only when one is over; on the
 * platform others are at it meanwhile.
 */
const AT_ONCE = <T extends object>(consumer: T) => ({ ...consumer, max_batch_timeout: 0 });

function localConfig(config: WranglerConfig, vars: Record<string, string>): object {
  const names = Object.keys(vars);
  return {
    ...config,
    main: join("build", basename(config.main).replace(/\.tsx?$/, ".js")),
    no_bundle: true,
    // A private network is Cloudflare's to reach; here MLflow is fetched.
    vpc_services: [],
    vars: Object.fromEntries(Object.entries(config.vars).filter(([name]) => !(name in vars))),
    // Where none is declared by name, wrangler takes them from the environment.
    secrets: names.length > 0 ? { required: names } : undefined,
    build: {},
    queues: { ...config.queues, consumers: config.queues.consumers.map(AT_ONCE) },
    // Nothing runs them locally but who calls for it; wrangler would start a compiler to say so.
    triggers: {},
    assets: { ...config.assets, directory: ASSETS },
  };
}
