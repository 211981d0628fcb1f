import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { chromiumArguments } from "../../scripts/lib/chromium.ts";
import { headlessShellPath } from "../lib/headless-shell.ts";
import type { Relay } from "../lib/relay.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WAIT_MS = 60_000;

export type Tab = Page & {
  /** What went wrong in the page: errors of its scripts, and what its policy refused. */
  troubles: string[];
};

/** A browser for the tests of a file, and tabs in it, each signed out and on its own. */
export function browserForTests() {
  let browser: Browser;
  beforeAll(async () => {
    const executablePath = await headlessShellPath();
    // The headless shell makes of a machine's "C" a language that there is not.
    const env = { ...process.env, LC_ALL: "en_US.UTF-8" };
    browser = await chromium.launch({ executablePath, args: chromiumArguments(), env });
  });
  afterAll(() => browser?.close());

  async function tab(relay: Relay, options: BrowserContextOptions = {}): Promise<Tab> {
    const context = await browser.newContext({ baseURL: relay.url, ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") troubles.push(message.text());
    });
    return Object.assign(page, { troubles });
  }

  /** A tab that is signed in, at a page of the dashboard. */
  async function signedIn(relay: Relay, path = "/", options: BrowserContextOptions = {}): Promise<Tab> {
    const page = await tab(relay, options);
    await page.goto(`/sign-in?next=${encodeURIComponent(path)}`);
    await page.getByLabel("Token").fill(relay.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(path);
    return page;
  }

  return { tab, signedIn };
}

type Violation = { id: string; impact: string | null; nodes: { target: unknown; failureSummary: string }[] };

/** Expects that axe finds nothing serious in the page as it is shown now. */
export async function axe(page: Page): Promise<void> {
  // Past the page's own policy, which lets nothing in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{ violations: Violation[] }>("axe.run()");
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(
    serious.map(({ id, nodes }) => [
      id,
      ...nodes.map(({ target, failureSummary }) => [target, failureSummary]),
    ]),
  ).toEqual([]);
}
