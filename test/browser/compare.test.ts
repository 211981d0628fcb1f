import { afterAll, beforeAll, expect, it } from "vitest";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { axe, browserForTests } from "./browser.ts";
import { hostileTrial, STUDY, studyOf } from "./study.ts";

const { signedIn } = browserForTests();
let lab: SharedLab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED);
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
  expect(await page.locator("figure canvas").count()).toBe(4);
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

it("what is not there is said", async () => {
  const page = await signedIn(lab.relay, "/compare");
  await page.getByRole("heading", { name: "Nothing to compare yet" }).waitFor();
  await page.goto("/compare?model_run=nowhere");
  await page.getByRole("alert").getByText("There is no model run nowhere.").waitFor();
});
