import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { chromiumArguments, chromiumPath } from "./lib/chromium.ts";
import { freePort, startMlflow } from "./lib/mlflow-server.ts";
import { startRelay } from "./lib/relay-process.ts";
import { ROOT } from "./lib/wrangler.ts";
import { SHOTS, type Shot } from "./screenshots/shots.ts";

/**
 * `npm run screenshots [-- NAME ...]`: a relay and an MLflow of their own, the demo's data in them, and a picture of each
 * page into docs/images.
 */

const TOKEN = "screenshots-admin-token";
const IMAGES = join(ROOT, "docs", "images");
const WIDTH = 1200;
const HEIGHT = 720;
/** What a chart draws after it has its data. */
const SETTLE_MS = 1_000;

const say = (line: string) => console.log(line);

await using opened = new AsyncDisposableStack();
const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
opened.defer(() => rm(dir, { recursive: true, force: true }));
const port = await freePort();
const mlflow = await startMlflow({ port, dataDir: join(dir, "mlflow"), report: say });
opened.defer(() => mlflow.stop());
const relay = await startRelay({
  port: await freePort(),
  stateDir: join(dir, "relay"),
  vars: { ADMIN_TOKEN: TOKEN, MLFLOW_TRACKING_URI: mlflow.uri },
  report: say,
});
opened.defer(() => relay.stop());
await demo();
const browser = await chromium.launch({ executablePath: await chromiumPath(), args: chromiumArguments() });
opened.defer(() => browser.close());
await mkdir(IMAGES, { recursive: true });
const wanted = new Set(process.argv.slice(2));
for (const shot of SHOTS) if (wanted.size === 0 || wanted.has(shot.name)) await take(browser, shot);

async function demo(): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "demo.ts")], {
    stdio: "inherit",
    env: { ...process.env, RELAY_URL: relay.url, RELAY_TOKEN: TOKEN },
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`The demo ended with ${code}.`);
}

async function take(browser: Browser, shot: Shot): Promise<void> {
  const { name, path, dark = false, height = HEIGHT, from } = shot;
  const page = await browser.newPage({
    baseURL: relay.url,
    viewport: { width: WIDTH, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    timezoneId: "UTC",
  });
  const next = typeof path === "string" ? path : await path(get);
  await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  await page.waitForTimeout(SETTLE_MS);
  if (from !== undefined) {
    // What comes above it would move it.
    await page.waitForLoadState("networkidle");
    await page.evaluate(`document.querySelector(${JSON.stringify(from)}).scrollIntoView()`);
    await page.waitForTimeout(SETTLE_MS);
  }
  await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  await page.context().close();
  say(`docs/images/${name}.png`);
}

async function get(path: string): Promise<Record<string, unknown>> {
  const response = await fetch(relay.url + path, { headers: { authorization: `Bearer ${TOKEN}` } });
  const body: unknown = await response.json();
  if (!response.ok || typeof body !== "object" || body === null)
    throw new Error(`${path} answered ${response.status}.`);
  return { ...body };
}
