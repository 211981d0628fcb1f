import { afterAll, beforeAll, expect, it } from "vitest";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { axe, browserForTests } from "./browser.ts";
import { hostileTrial, STUDY, studyOf } from "./study.ts";

const { signedIn } = browserForTests();
let lab: SharedLab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED, { withAssets: true });
  await lab.relay.send([...studyOf(STUDY, 8), ...hostileTrial(STUDY)]);
  await lab.relay.delivered(STUDY);
});
afterAll(() => lab?.close());

it("three trials are compared by what differs, by charts, and by their numbers as tables", async () => {
  const page = await signedIn(lab.relay, `/model-runs/${STUDY}`);
  for (const name of ["trial-0", "trial-1", "trial-3"])
    await page.getByRole("checkbox", { name: `Select ${name}`, exact: true }).check();
  await page.getByRole("link", { name: "Compare 3" }).click();
  await page.getByRole("heading", { name: "What differs" }).waitFor();
  const differences = page.locator("table.differences");
  expect(await differences.getByRole("row", { name: /^lr/ }).textContent()).toMatch(/lr.*3/);
  expect(await differences.getByRole("row", { name: /^same/ }).count()).toBe(0);
  expect(await page.locator("#compare figure canvas").count()).toBe(4);
  await page.getByText("33 % of the trials that say so have it on", { exact: false }).waitFor();
  await axe(page);
  await page.getByRole("button", { name: "Light or dark" }).click();
  await axe(page);
  expect(page.troubles).toEqual([]);
});

it("a whole model run is compared by a chosen metric, kept in the address, hostile names among it", async () => {
  const page = await signedIn(lab.relay, `/compare?model_run=${STUDY}`);
  const metric = page.getByRole("combobox", { name: "Metric" });
  await metric.selectOption("metrics.loss");
  const history = page.locator("figure", { has: page.getByRole("heading", { name: "Best over time" }) });
  await history.getByText("As a table").click();
  // Every loss is less than the one before.
  expect(await history.getByRole("row").count()).toBe(1 + 8);
  const importance = page.locator("section.panel", {
    has: page.getByRole("heading", { name: "Which parameters matter" }),
  });
  expect(await importance.getByRole("row", { name: /^units/ }).textContent()).toContain("−1.000");
  await page.getByLabel("Across").selectOption("params.units");
  await page.reload();
  await page.getByText("Rank correlation -1.00", { exact: false }).waitFor();
  expect(await metric.inputValue()).toBe("metrics.loss");
  expect(await page.locator("main img").count()).toBe(0);
  expect(page.troubles).toEqual([]);
});

it("an axis is brushed by keyboard alone, and the brush is in the address", async () => {
  const page = await signedIn(lab.relay, `/compare?model_run=${STUDY}&metric=metrics.loss`);
  const figure = page.locator("figure", {
    has: page.getByRole("heading", { name: "Parameters and metric, side by side" }),
  });
  await figure.getByText("Brushes", { exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.type("units");
  await page.keyboard.press("Tab");
  await page.keyboard.type("32");
  await page.keyboard.press("Tab");
  await page.keyboard.type("64");
  await page.keyboard.press("Enter");
  await figure.getByText("3 brushed").waitFor();
  await page.reload();
  await figure.getByText("3 brushed").waitFor();
  await figure.getByText("Brushes", { exact: true }).click();
  await axe(page);
  await figure.getByRole("button", { name: "No brush on units" }).click();
  await figure.getByText("3 brushed").waitFor({ state: "detached" });
  expect(new URL(page.url()).searchParams.has("brush")).toBe(false);
  expect(page.troubles).toEqual([]);
});

it("an axis is brushed by dragging along it, again from the form, and both are one", async () => {
  const page = await signedIn(lab.relay, `/compare?model_run=${STUDY}&metric=metrics.loss`);
  const figure = page.locator("figure", {
    has: page.getByRole("heading", { name: "Parameters and metric, side by side" }),
  });
  const box = await figure.locator("canvas").boundingBox();
  if (!box) throw new Error("no chart");
  const x = box.x + 60;
  await page.mouse.move(x, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(x, box.y + 200, { steps: 5 });
  await page.mouse.up();
  await figure.getByText(/\d brushed/).waitFor();
  const [first = ""] = new URL(page.url()).searchParams.get("brush")?.split("~") ?? [];
  expect(first).toMatch(/^params\./);
  expect(page.troubles).toEqual([]);
});

it("of many trials the curves of the best by the metric are drawn, and that is said", async () => {
  await lab.relay.send(studyOf("many", 25));
  await lab.relay.delivered("many");
  const page = await signedIn(lab.relay, "/compare?model_run=many&metric=metrics.loss");
  await page.getByRole("heading", { name: "Curves of the 20 best of 25 trials by loss last" }).waitFor();
  const curves = page.locator("#curves");
  await curves.locator("figure").first().scrollIntoViewIfNeeded();
  await curves.locator('figure[data-key="loss"][data-range]').waitFor();
  const names = await curves.locator(".curves-legend label").allTextContents();
  expect(names).toHaveLength(20);
  expect(names.map((name) => Number(/\d+/.exec(name)?.[0])).sort((a, b) => a - b)[0]).toBe(5);
  expect(page.troubles).toEqual([]);
});

it("what is not there is said", async () => {
  const page = await signedIn(lab.relay, "/compare");
  await page.getByRole("heading", { name: "Nothing to compare yet" }).waitFor();
  await page.goto("/compare?model_run=nowhere");
  await page.getByRole("alert").getByText("There is no model run nowhere.").waitFor();
});
