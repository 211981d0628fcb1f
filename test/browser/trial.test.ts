import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { axe, browserForTests, type Tab } from "./browser.ts";

const { signedIn } = browserForTests();
let lab: SharedLab;
let key = "";

const HOSTILE = "<img src=x onerror=window.hurt=1>";
const LONG = 5_000;
const SOON = { timeout: 60_000 };
const of = (trial_id: string) => ({ model_run_id: "study", trial_id });
const at = (step: number) => Date.UTC(2026, 0, 1) + step * 1_000;
const point = (step: number, metrics: object) => ({
  event: "ml.run.metric",
  ...of("t1"),
  step,
  metrics,
  occurred_at: at(step),
});

/** A wave with a NaN, an infinity, and a pause. */
const wave = (step: number) => (step === 1_000 ? "NaN" : step === 1_500 ? "Infinity" : Math.sin(step / 300));

beforeAll(async () => {
  lab = await openLab(UNANNOUNCED, { withAssets: true });
  await lab.relay.send([
    {
      event: "ml.trial.start",
      ...of("t1"),
      spectral_norm: true,
      run_name: HOSTILE,
      parameters: { lr: HOSTILE },
      metadata: { host: `"><script>window.hurt=1</script>` },
      occurred_at: at(0),
    },
    ...Array.from({ length: LONG / 2 }, (_, i) => point(i, { "train/wave": wave(i), "val/acc: a b": i })),
  ]);
  await lab.relay.send(
    Array.from({ length: LONG / 2 }, (_, i) => point(LONG / 2 + 500 + i, { "train/wave": wave(i) })),
  );
  key = (await keysOf("study"))[0] ?? "";
});
afterAll(() => lab?.close());

/** The public ids of a model run's trials. */
async function keysOf(modelRun: string): Promise<string[]> {
  const { body } = await lab.relay.get(`/api/trials?model_run_id=${modelRun}`);
  return [...JSON.stringify(body).matchAll(/"id":"([0-9a-f]{32})"/g)].map(([, id = ""]) => id);
}

const figure = (page: Tab, metric: string) => page.locator(`figure[data-key="${metric}"]`);

/** What a chart shows: from where to where, and of how many points. */
async function shown(page: Tab, metric: string): Promise<{ range: [number, number]; points: number }> {
  const chart = figure(page, metric);
  await chart.and(page.locator("[data-range]")).waitFor();
  const range: [number, number] = JSON.parse((await chart.getAttribute("data-range")) ?? "[]");
  return { range, points: Number(await chart.getAttribute("data-points")) };
}

/** Drags over a part of a chart, from and to in shares of its width. */
async function drag(page: Tab, metric: string, from: number, to: number): Promise<void> {
  const plot = figure(page, metric).locator(".u-over");
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  if (!box) throw new Error("the chart is not in view");
  await page.mouse.move(box.x + from * box.width, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + to * box.width, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
}

describe("a trial's page", () => {
  it("shows what it is, what it said as text, and how far it is; axe finds nothing, nothing is hurt", async () => {
    const page = await signedIn(lab.relay, `/trials/${key}`);
    expect(await page.locator("h1").textContent()).toBe(HOSTILE);
    await page.getByText("spectral_norm", { exact: true }).first().waitFor();
    await shown(page, "train/wave");
    await figure(page, "train/wave").getByText("2 NaN, 2 ∞").waitFor();
    await axe(page);
    await page.getByRole("button", { name: "Light or dark" }).click();
    await axe(page);
    expect(await page.evaluate("window.hurt")).toBeUndefined();
    expect(page.troubles).toEqual([]);
  });

  it("leads to its run in MLflow, and says what a reading back found", async () => {
    const small = { model_run_id: "small", trial_id: "s1" };
    await lab.relay.send([
      { event: "ml.trial.start", ...small, spectral_norm: false, parameters: { lr: 1 } },
      { event: "ml.run.metric", ...small, step: 1, metrics: { loss: 1 } },
    ]);
    await lab.relay.delivered("small");
    const [id] = await keysOf("small");
    const page = await signedIn(lab.relay, `/trials/${id}`);
    const { body } = await lab.relay.get(`/api/trials/${id}`);
    const href = await page.getByRole("link", { name: "Open in MLflow" }).getAttribute("href");
    expect(href).toMatch(
      new RegExp(`/#/experiments/${body.mlflow_experiment_id}/runs/${body.mlflow_run_id}$`),
    );
    // On a busy machine MLflow may be too slow once, which is said as well.
    await expect
      .poll(
        async () => {
          await page.getByRole("button", { name: "Read back from MLflow" }).click();
          await page.locator("#verdict", { hasNotText: "Reading" }).waitFor();
          return page.locator("#verdict").textContent();
        },
        { timeout: 60_000 },
      )
      .toMatch(/^Confirmed: 1 points/);
  });

  it("shows its files in frames that may do nothing, or says why it cannot", async () => {
    const put = (name: string, body: string, type: string) =>
      lab.relay.fetch(`/api/trials/${key}/artifacts/${name}`, {
        method: "PUT",
        body,
        headers: { "content-type": type },
      });
    const hurt = "window.hurt=1;parent.hurt=1";
    const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>${hurt}</script></svg>`;
    const answers = [
      await put("notes.md", `# Read me\n<script>${hurt}</script>`, "text/markdown"),
      await put("bad.svg", svg, "image/svg+xml"),
      await put("weights.bin", "0101", "application/octet-stream"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const page = await signedIn(lab.relay, "/");
    await page.route(`**/api/trials/${key}/**`, (route) => route.abort(), { times: 1 });
    await page.goto(`/trials/${key}`);
    // The charts above take their room as they come.
    await shown(page, "train/wave");
    await page.locator("#files").scrollIntoViewIfNeeded();
    await page.getByText("The files could not be listed").waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    const preview = page.getByRole("button", { name: "Preview notes.md" });
    await page.route("**/previews/**", (route) => route.abort(), { times: 1 });
    await preview.click();
    await page.getByText("The relay could not be asked").waitFor();
    await preview.click();
    await preview.click();
    await page.frameLocator("iframe").getByRole("heading", { name: "Read me" }).waitFor();
    await page.getByRole("button", { name: "Preview bad.svg" }).click();
    await page.locator("iframe").nth(1).waitFor();
    await page.getByRole("button", { name: "Preview weights.bin" }).click();
    await page.getByText("There is no preview of such a file").waitFor();
    await axe(page);
    expect(await page.evaluate("window.hurt")).toBeUndefined();
  });

  it("leaves alone what somebody is in the midst of, and shows what came meanwhile once they are not", async () => {
    const busy = { model_run_id: "busy", trial_id: "b1" };
    const loss = (step: number, value: number) => ({
      event: "ml.run.metric",
      ...busy,
      step,
      metrics: { loss: value },
    });
    await lab.relay.send([{ event: "ml.trial.start", ...busy, spectral_norm: false }, loss(1, 111)]);
    await lab.relay.delivered("busy");
    const [id] = await keysOf("busy");
    const page = await signedIn(lab.relay, `/trials/${id}`);
    const values = page.getByRole("region", { name: "Values of metrics" });
    await values.focus();
    await lab.relay.send([loss(2, 222)]);
    // The last that changes on this page: all of it is shown where nobody is.
    await expect
      .poll(() => page.locator("#ledger").getByText("delivered", { exact: true }).count(), SOON)
      .toBe(4);
    expect(await values.textContent()).toContain("111");
    expect(await values.textContent()).not.toContain("222");
    await page.getByLabel("Metrics by a regular expression").focus();
    await values.getByText("222").first().waitFor({ timeout: 10_000 });
    expect(page.troubles).toEqual([]);
  });

  it("is not found where there is none, and refuses what it does not know", async () => {
    const page = await signedIn(lab.relay, "/");
    expect((await page.goto("/trials/nobody"))?.status()).toBe(404);
    expect((await page.goto(`/trials/${key}?nothing=1`))?.status()).toBe(400);
  });
});

describe("a curve", () => {
  it("is read finer where it is zoomed, stays zoomed when more comes, and is whole again after a double click", async () => {
    const page = await signedIn(lab.relay, `/trials/${key}`);
    const whole = await shown(page, "train/wave");
    expect(whole.range[1] - whole.range[0]).toBeGreaterThan(LONG - 10);
    await drag(page, "train/wave", 0.1, 0.2);
    await page.waitForURL(/zoom=/);
    // Every point of the part, where the whole was thinned.
    await expect
      .poll(async () => {
        const { range, points } = await shown(page, "train/wave");
        return Math.abs(points - (range[1] - range[0]));
      }, SOON)
      .toBeLessThan(5);
    const zoomed = await shown(page, "train/wave");
    expect(zoomed.range[1] - zoomed.range[0]).toBeLessThan(LONG / 5);
    // A new point lies outside of the zoom, one more within: only that one is drawn.
    const within = Math.round((zoomed.range[0] + zoomed.range[1]) / 2);
    await lab.relay.send([
      point(9_000, { "train/wave": 1 }),
      { ...point(within, { "train/wave": 5 }), occurred_at: at(9_001) },
    ]);
    await expect.poll(async () => (await shown(page, "train/wave")).points, SOON).toBe(zoomed.points + 1);
    expect((await shown(page, "train/wave")).range).toEqual(zoomed.range);
    await page.reload();
    expect((await shown(page, "train/wave")).range[0]).toBeCloseTo(zoomed.range[0], 0);
    await figure(page, "train/wave").locator(".u-over").dblclick();
    await page.waitForURL((url) => !url.searchParams.has("zoom"));
    await expect.poll(async () => (await shown(page, "train/wave")).range[1], SOON).toBe(9_000);
    expect(page.troubles).toEqual([]);
  });

  it("is used by keyboard alone: cursor, zoom, table, axes, filter", async () => {
    const page = await signedIn(lab.relay, `/trials/${key}`);
    await shown(page, "train/wave");
    const plot = figure(page, "train/wave").locator(".plot");
    await plot.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await figure(page, "train/wave").locator("output").textContent()).toMatch(/^step \d/);
    await page.keyboard.press("+");
    await page.waitForURL(/zoom=/);
    await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("Escape");
    await page.waitForURL((url) => !url.searchParams.has("zoom"));
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await figure(page, "train/wave").getByRole("cell", { name: "NaN" }).first().waitFor();
    await axe(page);
    await page.getByLabel("Over").selectOption("relative");
    await page.getByLabel("log y").check();
    await figure(page, "train/wave").getByText("without a place on a logarithmic axis").waitFor();
    await page.getByLabel("Metrics by a regular expression").fill("(a+)+");
    await page.getByText("must not repeat a group").waitFor();
    await page.getByLabel("Metrics by a regular expression").fill("^val");
    await figure(page, "train/wave").waitFor({ state: "detached" });
    await page.waitForURL(/x=relative&log=y&metrics=%5Eval/);
    expect(page.troubles).toEqual([]);
  });

  it("is asked for again where it could not be read", async () => {
    const page = await signedIn(lab.relay, "/trials");
    let refused = 0;
    await page.route(/\/api\/curves\?/, async (route) => {
      if (++refused === 1) return route.fulfill({ status: 503, body: "{}" });
      return route.fallback();
    });
    await page.goto(`/trials/${key}`);
    await page.getByRole("alert").getByText("Curves could not be read").waitFor();
    expect((await shown(page, "train/wave")).points).toBeGreaterThan(0);
    await expect
      .poll(() => page.getByRole("alert").getByText("Curves could not").isVisible(), SOON)
      .toBe(false);
  });

  it("is kept as a table and as a picture", async () => {
    const page = await signedIn(lab.relay, `/trials/${key}`);
    await shown(page, "train/wave");
    const saved = async (name: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: `${name} of train/wave` }).click(),
      ]);
      const chunks: Uint8Array[] = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    const csv = (await saved("CSV")).toString();
    expect(csv.split("\r\n")[0]).toBe("trial,metric,step,time,value");
    expect(csv).toContain(",train/wave,1000,2026-01-01T00:16:40.000Z,NaN");
    expect((await saved("PNG")).subarray(1, 4).toString()).toBe("PNG");
  });
});

describe("several trials", () => {
  it("are in one chart, those with spectral_norm dashed, and each can be left out", async () => {
    const trials = ["c1", "c2", "c3"];
    await lab.relay.send(
      trials.flatMap((trial_id, k) => [
        { event: "ml.trial.start", model_run_id: "compared", trial_id, spectral_norm: k === 1 },
        ...[1, 2, 3, 4].map((step) => ({
          event: "ml.run.metric",
          model_run_id: "compared",
          trial_id,
          step,
          metrics: { loss: step * (k + 1) },
        })),
      ]),
    );
    // Until their starts are folded the page does not know which are dashed, and is told later.
    const keys = await keysOf("compared");
    const page = await signedIn(lab.relay, `/compare?trials=${keys.join(",")}`);
    // Curves are drawn once they are in view, from which the charts above them may push them as they come.
    const points = async () => {
      await figure(page, "loss").scrollIntoViewIfNeeded();
      return Number(await figure(page, "loss").getAttribute("data-points"));
    };
    await expect.poll(points, SOON).toBe(12);
    await page.getByLabel("c2 (spectral_norm)").uncheck();
    await expect.poll(points, SOON).toBe(8);
    await page.waitForURL(/hidden=/);
    await page.reload();
    await expect.poll(points, SOON).toBe(8);
    expect(await page.getByLabel("c2 (spectral_norm)").isChecked()).toBe(false);
    expect(page.troubles).toEqual([]);
  });
});
