import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { axe, browserForTests, type Tab } from "./browser.ts";

const { signedIn } = browserForTests();
let lab: SharedLab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED, { withAssets: true });
});
afterAll(() => lab?.close());

const HOSTILE = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{7*7}} ‮evil`;

/** Nothing that a trainer wrote has run, and nothing went wrong. */
async function isHarmless(page: Tab): Promise<void> {
  expect(await page.evaluate("window.hacked === undefined")).toBe(true);
  expect(page.troubles).toEqual([]);
}

async function isWithinPhone(page: Tab): Promise<void> {
  expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(true);
}

async function mlflow(path: string, body: object, base = lab.relay.url): Promise<Record<string, unknown>> {
  const response = await fetch(`${base}/api/2.0/mlflow/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${lab.relay.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, path).toBe(200);
  return response.json() as Promise<Record<string, unknown>>;
}

describe("whatever a trainer calls things", () => {
  it("is text on every page, and is found by keyboard alone", async () => {
    const model_run_id = `study ${HOSTILE}`;
    await lab.relay.send([
      {
        event: "ml.run.start",
        model_run_id,
        run_name: HOSTILE,
        requested_trials: 1,
        search_space_version: 1,
        experiment_name: HOSTILE,
      },
      {
        event: "ml.trial.start",
        model_run_id,
        trial_id: HOSTILE,
        spectral_norm: true,
        parameters: { lr: HOSTILE },
        tags: { note: HOSTILE },
      },
      {
        event: "ml.trial.complete",
        model_run_id,
        trial_id: HOSTILE,
        spectral_norm: true,
        metrics: { acc: 0.5 },
      },
    ]);
    await lab.relay.delivered(model_run_id);
    const page = await signedIn(lab.relay);
    await page.getByRole("link", { name: HOSTILE }).waitFor();
    await axe(page);
    await isHarmless(page);

    await page.keyboard.press("Control+k");
    await page.getByRole("option", { name: "Experiments" }).waitFor();
    await page.keyboard.type('"><IMG');
    await page.getByRole("option", { name: /experiment.*onerror/ }).waitFor();
    await axe(page);
    while (!(await page.locator("[aria-selected=true]").textContent())?.startsWith("experiment"))
      await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/experiments\/\d+/);
    await page.getByRole("heading", { name: HOSTILE }).waitFor();
    await axe(page);
    await page
      .getByRole("row", { name: /trial|study/ })
      .first()
      .waitFor();
    await page.getByRole("rowheader").getByRole("link").first().click();
    await page.waitForURL(/\/runs\//);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await axe(page);
    await isHarmless(page);
  });
});

describe("a run", () => {
  it("of an MLflow client is at the address that its client prints, at once, and leads to MLflow when it is there", async () => {
    const { experiment_id } = await mlflow("experiments/create", { name: "by a client" });
    const created = await mlflow("runs/create", {
      experiment_id,
      run_name: "brisk-owl",
      start_time: Date.now(),
    });
    const { run_id } = (created.run as { info: { run_id: string } }).info;
    await mlflow("runs/log-batch", {
      run_id,
      metrics: [{ key: "loss", value: 0.25, step: 3, timestamp: Date.now() }],
      params: [{ key: "optimizer", value: "adam" }],
      tags: [{ key: "team", value: "vision" }],
    });
    await mlflow("runs/log-inputs", {
      run_id,
      datasets: [{ dataset: { name: "moons", digest: "d1", source_type: "local", source: "{}" }, tags: [] }],
    });
    const page = await signedIn(lab.relay);
    await page.goto(`/#/experiments/${experiment_id}/runs/${run_id}`);
    await page.waitForURL(`/runs/${run_id}`);
    await page.getByRole("heading", { name: "brisk-owl" }).waitFor();
    for (const text of ["optimizer", "adam", "vision", "moons"])
      await page.getByText(text, { exact: true }).first().waitFor();
    await axe(page);
    await page.getByTitle("0.25").first().waitFor();
    // Live: nobody asks for the page again.
    const link = page.getByRole("link", { name: "Open in MLflow" });
    await link.waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Copy" }).first().waitFor();
    const href = (await link.getAttribute("href")) ?? "";
    const [, there = ""] = /\/runs\/(\w+)$/.exec(href) ?? [];
    const response = await fetch(`${lab.trackingUri}/api/2.0/mlflow/runs/get?run_id=${there}`);
    expect(await response.json()).toMatchObject({ run: { info: { run_name: "brisk-owl" } } });
    await page.getByRole("link", { name: "by a client" }).click();
    await page.getByRole("link", { name: "brisk-owl" }).first().waitFor();
    await isHarmless(page);
  });

  it("that only MLflow has is shown as well, and one that nobody has is a page that says so", async () => {
    const { experiment_id } = await mlflow(
      "experiments/create",
      { name: "that only MLflow has" },
      lab.trackingUri,
    );
    const made = await mlflow("runs/create", { experiment_id, run_name: "made in MLflow" }, lab.trackingUri);
    const { run_id } = (made.run as { info: { run_id: string } }).info;
    const page = await signedIn(lab.relay, `/runs/${run_id}`);
    await page.getByRole("heading", { name: "made in MLflow" }).waitFor();
    await page.getByText("MLflow only").first().waitFor();
    expect(await page.getByRole("link", { name: "Open in MLflow" }).getAttribute("href")).toContain(run_id);
    const answer = await page.goto(`/runs/${"0".repeat(32)}`);
    expect(answer?.status()).toBe(404);
    await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
    await axe(page);
  });
});

it("pages fit a phone, in the dark", async () => {
  const model_run_id = "m".repeat(250);
  const trial_id = "t".repeat(250);
  await lab.relay.send([
    { event: "ml.run.start", model_run_id, requested_trials: 1, search_space_version: 1 },
    {
      event: "ml.trial.start",
      model_run_id,
      trial_id,
      spectral_norm: true,
      parameters: { lr: "1".repeat(99) },
    },
  ]);
  await lab.relay.delivered(model_run_id);
  const listed = JSON.stringify((await lab.relay.get(`/api/trials?model_run_id=${model_run_id}`)).body);
  const [, trial, run] = /"id":"(\w+)".*"mlflow_run_id":"(\w+)"/.exec(listed) ?? [];
  const page = await signedIn(lab.relay, "/", { viewport: { width: 360, height: 700 }, colorScheme: "dark" });
  const places = ["/", "/experiments", "/nowhere", "/delivery", "/delivery/jobs"];
  const compared = `/compare?model_run=${model_run_id}`;
  const its = [`/model-runs/${model_run_id}`, `/trials/${trial}`, `/runs/${run}`, compared];
  for (const path of [...places, ...its]) {
    await page.goto(path);
    await axe(page);
    await isWithinPhone(page);
  }
});
