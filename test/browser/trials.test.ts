import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { axe, browserForTests, type Tab } from "./browser.ts";
import { HOSTILE, hostileTrial, LONG_CHARS, LONG_KEY, STUDY, studyOf } from "./study.ts";

const TRIALS = 8;
/** A busy machine takes its time. */
const SOON = { timeout: 60_000 };

const { signedIn } = browserForTests();
let lab: SharedLab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED, { withAssets: true });
  await lab.relay.send(studyOf(STUDY, TRIALS));
  await lab.relay.delivered(STUDY);
});
afterAll(() => lab?.close());

const grid = (page: Tab) => page.locator("[role=grid], [role=treegrid]");
/** The trials that are shown, from above. */
const shown = (page: Tab) =>
  grid(page).evaluate((table) =>
    [...table.querySelectorAll("tbody tr")]
      .sort((a, b) => Number(a.getAttribute("aria-rowindex")) - Number(b.getAttribute("aria-rowindex")))
      .map((row) => row.querySelector("a[href^='/trials/']")?.textContent ?? ""),
  );
const headings = (page: Tab) => grid(page).locator("thead th .name").allTextContents();

async function open(query = ""): Promise<Tab> {
  const page = await signedIn(lab.relay, `/model-runs/${STUDY}${query}`);
  await grid(page).waitFor();
  return page;
}

describe("the table of trials", () => {
  it("is on the page before any script has run", async () => {
    const page = await signedIn(lab.relay, `/model-runs/${STUDY}?sort=-metrics.loss`, {
      javaScriptEnabled: false,
    });
    expect(await page.getByRole("row").nth(1).textContent()).toContain("trial-0");
    expect(await page.getByText("50 %").count()).toBe(1);
  });

  it("finds a trial by a filter in MLflow's language, and says at the place why another is refused", async () => {
    const page = await open();
    const filter = page.getByRole("searchbox", { name: "Filter" });
    await filter.fill("params.optimizer = 'sgd' AND metrics.loss < 0.6");
    await filter.press("Enter");
    await expect.poll(() => shown(page), SOON).toEqual(["trial-6", "trial-3"]);
    await filter.fill("metrics.loss <");
    await filter.press("Enter");
    await page.getByRole("alert").getByText("is not a search of MLflow's").waitFor();
    await axe(page);
    await filter.fill("");
    await filter.press("Enter");
    await page.getByLabel("With or without spectral norm").selectOption("off");
    await expect.poll(() => shown(page), SOON).toEqual(["trial-7", "trial-5", "trial-3", "trial-1"]);
    // Who opens the same address sees the same.
    const other = await open(new URL(page.url()).search);
    expect(await shown(other)).toEqual(["trial-7", "trial-5", "trial-3", "trial-1"]);
    expect(page.troubles.filter((text) => !text.includes("400"))).toEqual([]);
  });

  it("is sorted, its columns chosen, moved and pinned, all kept in the address", async () => {
    const page = await open();
    const loss = grid(page).getByRole("columnheader", { name: "loss" });
    await loss.click();
    await expect
      .poll(() => shown(page), SOON)
      .toEqual(Array.from({ length: TRIALS }, (_, i) => `trial-${TRIALS - 1 - i}`));
    await loss.click();
    await expect.poll(async () => (await shown(page))[0], SOON).toBe("trial-0");
    expect(await loss.getAttribute("aria-sort")).toBe("descending");
    await page.locator(".picker summary").click();
    await page.getByRole("checkbox", { name: "min", exact: false }).first().check();
    await page.getByRole("button", { name: "Pin loss last" }).click();
    expect((await headings(page)).slice(0, 2)).toEqual(["Trial", "loss"]);
    await page.reload();
    await grid(page).waitFor();
    expect((await headings(page)).slice(0, 2)).toEqual(["Trial", "loss"]);
    expect((await shown(page))[0]).toBe("trial-0");
    await page.getByLabel("Only what differs").check();
    expect(await headings(page)).not.toContain("same");
    expect(page.troubles).toEqual([]);
  });

  it("moves a column where it is dragged", async () => {
    const page = await open();
    const before = await headings(page);
    await grid(page)
      .getByRole("columnheader", { name: "lr" })
      .dragTo(grid(page).getByRole("columnheader", { name: "Status" }));
    await expect.poll(async () => (await headings(page)).indexOf("lr"), SOON).toBe(before.indexOf("Status"));
  });

  it("is grouped by a parameter, with what each group comes to", async () => {
    const page = await open("?columns=trial_id,params.optimizer,metrics.loss&pin=");
    await page.getByLabel("Group by").selectOption("params.optimizer");
    const sgd = grid(page).getByRole("row", { name: /sgd/ });
    // 2, 1/2 and 2/7.
    expect(await sgd.textContent()).toMatch(/sgd 3 trials.*0\.9286 ± 0\.93/);
    await sgd.getByRole("button", { name: "Open or close" }).click();
    await expect
      .poll(async () => (await shown(page)).filter(Boolean), SOON)
      .toEqual(["trial-6", "trial-3", "trial-0"]);
    await axe(page);
  });

  it("shows of a mean that is too long for its cell how it begins, not how it ends", async () => {
    await lab.relay.send(
      [1, 2, 3].map((i) => ({
        event: "ml.trial.complete",
        model_run_id: "tiny",
        trial_id: `t${i}`,
        spectral_norm: true,
        metrics: { loss: i * 0.000123456 },
      })),
    );
    await lab.relay.delivered("tiny");
    const page = await signedIn(
      lab.relay,
      "/model-runs/tiny?columns=trial_id,metrics.loss&group=spectral_norm",
    );
    const cell = grid(page).getByRole("gridcell", { name: "±" });
    const mean = cell.getByText("0.0002469 ± 0.00012");
    const [outer, inner] = [await cell.boundingBox(), await mean.boundingBox()];
    expect(inner?.x).toBeGreaterThanOrEqual(outer?.x ?? Number.NaN);
  });

  it("is kept as a view under a name, which is forgotten again", async () => {
    const page = await open("?sort=-metrics.loss&columns=trial_id,metrics.loss");
    await page.getByText("Views").click();
    await page.getByRole("textbox", { name: "Name of this view" }).fill("by <b>loss");
    await page.getByRole("button", { name: "Save" }).click();
    await page.goto(`/model-runs/${STUDY}`);
    await grid(page).waitFor();
    await page.getByText("Views").click();
    await axe(page);
    await page.getByRole("link", { name: "by <b>loss" }).click();
    await expect.poll(() => headings(page), SOON).toEqual(["Trial", "loss"]);
    await page.getByText("Views").click();
    await page.getByRole("button", { name: "Forget the view by <b>loss" }).click();
    expect(await page.getByRole("link", { name: "by <b>loss" }).count()).toBe(0);
    expect(page.troubles).toEqual([]);
  });

  it("goes as CSV, as it is shown", async () => {
    const page = await open("?columns=trial_id,metrics.loss,params.lr&sort=-metrics.loss");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "CSV" }).click(),
    ]);
    const lines = (await readFile(await download.path(), "utf8")).split("\r\n");
    expect(lines.slice(0, 3)).toEqual([
      "\ufefftrial_id,metrics.loss,params.lr",
      "trial-0,2,1",
      "trial-1,1,0.1",
    ]);
    expect(lines).toHaveLength(TRIALS + 2);
  });

  it("is walked, sorted and selected by keyboard alone, and leads to a comparison", async () => {
    const page = await open();
    await grid(page).focus();
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await page.keyboard.press("Control+ArrowDown");
    await page.keyboard.press("Space");
    expect(await grid(page).locator("tr[aria-selected=true]").count()).toBe(3);
    await page.keyboard.press("Control+ArrowUp");
    await page.keyboard.press("Enter");
    expect(await grid(page).locator("[aria-sort=ascending]").textContent()).toContain("Trial");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Alt+ArrowRight");
    expect((await headings(page)).indexOf("Status")).toBe(2);
    const active = await grid(page).getAttribute("aria-activedescendant");
    expect(await page.locator(`[id="${active}"]`).textContent()).toContain("Status");
    await page.getByRole("link", { name: "Compare 3" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/compare\?trials=\w{32}%?2?C?,?\w{32}/);
  });

  it("goes on while trials come, and keeps what the reader has done", async () => {
    await lab.relay.send(studyOf("live", 2));
    await lab.relay.delivered("live");
    const page = await signedIn(lab.relay, "/model-runs/live");
    await grid(page).waitFor();
    await page.getByRole("checkbox", { name: "Select trial-1" }).check();
    await grid(page).getByRole("columnheader", { name: "Trial" }).click();
    await lab.relay.send({
      event: "ml.trial.start",
      model_run_id: "live",
      trial_id: "trial-late",
      spectral_norm: true,
    });
    await expect.poll(() => shown(page), SOON).toEqual(["trial-0", "trial-1", "trial-late"]);
    expect(await page.getByRole("checkbox", { name: "Select trial-1" }).isChecked()).toBe(true);
    expect(page.troubles).toEqual([]);
  });
});

it("a page says while it cannot be refreshed, keeps what it shows, and recovers by itself", async () => {
  const page = await open();
  const isAway = (url: URL) => /^\/(api|delivery|model-runs)\//.test(url.pathname);
  await page.route(isAway, (route) => route.fulfill({ status: 503, json: {} }));
  const said = page.getByRole("status").getByText("could not be refreshed");
  await said.waitFor({ timeout: 40_000 });
  expect(await shown(page)).toHaveLength(TRIALS);
  await page.unroute(isAway);
  await said.waitFor({ state: "detached", timeout: 60_000 });
});

it("a page says that its session is over, leads to where one signs in, and back", async () => {
  const page = await open();
  await page.context().clearCookies();
  await page.getByText("You are not signed in any more.").waitFor({ timeout: 40_000 });
  await page.getByLabel("With or without spectral norm").selectOption("on");
  await page.getByText("They are asked for again.").waitFor();
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel("Token").fill(lab.relay.token);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/model-runs\/.*spectral_norm=true/);
  await grid(page).waitFor();
});

describe("names that mean no good", () => {
  it("are text, on the page and in its file", async () => {
    await lab.relay.send(hostileTrial("bad"));
    await lab.relay.delivered("bad");
    const page = await signedIn(
      lab.relay,
      `/model-runs/bad?columns=trial_id,run_name,params.markup,params.formula,params.${encodeURIComponent(LONG_KEY)}`,
    );
    await grid(page).waitFor();
    await grid(page)
      .getByRole("link", { name: HOSTILE.slice(0, 20) })
      .waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "CSV" }).click(),
    ]);
    const csv = await readFile(await download.path(), "utf8");
    expect(csv).toContain(`"'=HYPERLINK(""http://evil"")"`);
    expect(csv).toContain("x".repeat(LONG_CHARS));
    expect(await page.locator("main img").count()).toBe(0);
    await axe(page);
    expect(page.troubles).toEqual([]);
  });
});

describe("2,000 trials with 500 columns", () => {
  const MANY = 2_000;
  const COLUMNS = 500;
  const ids = Array.from({ length: MANY }, (_, i) => i.toString(16).padStart(32, "0"));

  it("are scrolled and sorted with few elements in the page", async () => {
    const page = await open();
    await page.route("**/api/trial-columns?*", (route) =>
      route.fulfill({
        json: {
          trials: MANY,
          more: false,
          columns: Array.from({ length: COLUMNS }, (_, i) => ({
            kind: "params",
            key: `p${i}`,
            trials: MANY,
            differs: true,
          })),
        },
      }),
    );
    await page.route("**/api/trial-table?*", (route) => {
      const asked = new URL(route.request().url()).searchParams.get("columns")?.split(",") ?? [];
      const all = <T>(value: T) => ids.map(() => value);
      return route.fulfill({
        json: {
          more: false,
          trials: {
            id: ids,
            model_run_id: all(STUDY),
            trial_id: ids.map((_, i) => `t${i}`),
            run_name: all(null),
            status: all("succeeded"),
            spectral_norm: all(true),
            sync_state: all("synced"),
            started_at: all(null),
            ended_at: all(null),
            duration_ms: all(null),
            rank: all(null),
            mlflow_run_id: all(null),
          },
          columns: asked.map((name) => ({
            name,
            values: ids.map((_, i) => String((i * 7_919) % MANY)),
          })),
        },
      });
    });
    await page.reload();
    await page.getByText("2000 trials").waitFor();
    await page.locator(".picker summary").click();
    await page.getByRole("button", { name: /Show all/ }).click();
    const columns = async () => Number(await grid(page).getAttribute("aria-colcount"));
    await expect.poll(columns, SOON).toBeGreaterThan(COLUMNS);
    const elements = () => grid(page).locator("*").count();
    expect(await elements()).toBeLessThan(3_000);
    await grid(page).focus();
    await page.keyboard.press("Control+End");
    await grid(page)
      .locator(`tr[aria-rowindex="${MANY + 1}"]`)
      .waitFor();
    await grid(page)
      .locator(`td[aria-colindex="${await columns()}"]`)
      .first()
      .waitFor();
    expect(await elements()).toBeLessThan(3_000);
    await grid(page).getByRole("columnheader", { name: "p499" }).click();
    await page.keyboard.press("Control+Home");
    await expect.poll(async () => (await shown(page)).slice(0, 2), SOON).toEqual(["t0", "t1679"]);
    expect(page.troubles).toEqual([]);
  });
});
