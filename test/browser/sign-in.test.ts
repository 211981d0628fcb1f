import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { axe, browserForTests } from "./browser.ts";

const { tab, signedIn } = browserForTests();
let lab: SharedLab;
beforeAll(async () => {
  // As a user's: wrangler hands on pages, cookies and redirects.
  lab = await openLab(UNANNOUNCED, { inWranglerDev: true });
});
afterAll(() => lab?.close());

describe("signing in", () => {
  it("is asked for, takes a token, and goes on to what was wanted; signing out ends it", async () => {
    const page = await tab(lab.relay);
    await page.goto("/?state=running");
    expect(new URL(page.url()).pathname).toBe("/sign-in");
    await axe(page);
    await page.getByLabel("Token").fill("not a token");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("alert").textContent()).toContain("not known");
    await page.getByLabel("Token").fill(lab.relay.token);
    await page.keyboard.press("Enter");
    await page.waitForURL("/?state=running");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("/sign-in");
    await page.goto("/");
    expect(new URL(page.url()).pathname).toBe("/sign-in");
  });

  it("keeps the address of a run that an MLflow client prints", async () => {
    const page = await tab(lab.relay);
    await page.goto("/#/experiments/7/runs/4f0c");
    await page.getByLabel("Token").fill(lab.relay.token);
    await page.keyboard.press("Enter");
    await page.waitForURL("/runs/4f0c");
    await page.goto("/#/experiments/7");
    await page.waitForURL("/experiments/7");
  });
});

describe("model runs", () => {
  it("begin with what to do, and show what a trainer reports without being asked again", async () => {
    const page = await signedIn(lab.relay);
    await page.getByRole("heading", { name: "Nothing was reported yet" }).waitFor();
    await axe(page);
    await lab.relay.send([
      { event: "ml.run.start", model_run_id: "study", requested_trials: 2, search_space_version: 1 },
      { event: "ml.trial.start", model_run_id: "study", trial_id: "t1", spectral_norm: true },
      {
        event: "ml.trial.complete",
        model_run_id: "study",
        trial_id: "t1",
        spectral_norm: true,
        metrics: { acc: 0.9 },
      },
    ]);
    await page.getByRole("link", { name: "study" }).waitFor();
    await page.getByRole("row", { name: /study/ }).getByText("1/2").waitFor();
    await axe(page);
    await page.getByRole("button", { name: "Light or dark" }).click();
    await axe(page);
    expect(page.troubles).toEqual([]);
  });
});
