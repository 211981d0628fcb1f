import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { hasCode } from "./lock.ts";
import { ROOT } from "./wrangler.ts";

const CLIENT = join(ROOT, "src", "dashboard", "client");
/** What wrangler serves as static assets: `[assets]` in wrangler.toml names it. */
export const DASHBOARD_ASSETS = join(ROOT, "dist", "dashboard");
/** What every page loads is small; wrangler's own headers already have a browser ask whether a file has changed. */
const HEADERS = "/assets/*\n  X-Content-Type-Options: nosniff\n  Cross-Origin-Resource-Policy: same-origin\n";

/** Bundles the dashboard's scripts and its style sheet: each file right under `client/` is an entry of its name. */
export async function buildDashboard(): Promise<void> {
  const entries = (await readdir(CLIENT)).filter((name) => /\.(tsx?|css|svg)$/.test(name));
  const { outputFiles } = await build({
    entryPoints: entries.map((name) => join(CLIENT, name)),
    outdir: join(DASHBOARD_ASSETS, "assets"),
    tsconfig: join(CLIENT, "tsconfig.json"),
    bundle: true,
    minify: true,
    format: "esm",
    loader: { ".svg": "copy" },
    target: ["es2022"],
    legalComments: "none",
    write: false,
    logLevel: "warning",
  });
  await mkdir(join(DASHBOARD_ASSETS, "assets"), { recursive: true });
  await Promise.all(outputFiles.map(({ path, text }) => put(path, text)));
  await put(join(DASHBOARD_ASSETS, "_headers"), HEADERS);
  const built = new Set(outputFiles.map(({ path }) => basename(path)));
  const old = (await readdir(join(DASHBOARD_ASSETS, "assets"))).filter((name) => !built.has(name));
  await Promise.all(old.map((name) => rm(join(DASHBOARD_ASSETS, "assets", name), { force: true })));
}

/**
 * Whole or not at all, and not when nothing changed: others may be reading, or building the same, this process too. What is being
 * written lies beside the assets, under a name of its own: what clears them of old files does not meet it.
 */
async function put(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) === text) return;
  const own = `${DASHBOARD_ASSETS}.${randomUUID()}`;
  await writeFile(own, text);
  await rename(own, path);
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}
