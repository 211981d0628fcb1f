import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { openLab, type SharedLab, UNANNOUNCED } from "../e2e/lab.ts";
import { FAULTS } from "../lib/fault-proxy.ts";
import { point, unwrap } from "../lib/mlflow-read.ts";
import { AT, MINUTE_MS, trialOf } from "../lib/one-trial.ts";
import { axe, browserForTests } from "./browser.ts";

const { tab, signedIn } = browserForTests();
let lab: SharedLab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED, { withAssets: true });
});
afterEach(() => lab?.proxy.heal());
afterAll(() => lab?.close());

const HOSTILE = `<img src=x onerror="document.title='taken'">\u202Eevil`;

test("a dead letter is edited and replayed, by keyboard alone, and arrives", async () => {
  const t = trialOf("letters");
  lab.proxy.fail({ path: "runs/log-batch", body: '"poison"' }, FAULTS.invalidParameter);
  const metric = (metric_name: string, step: number, metric_value: number) => ({
    event: "ml.run.metric",
    model_run_id: "letters",
    trial_id: "t",
    occurred_at: AT,
    metric_name,
    step,
    metric_value,
  });
  await lab.relay.send([t.announce(), t.start(), metric("loss", 1, 2), metric("poison", 7, 13)]);
  await lab.relay.delivered("letters");
  const page = await signedIn(lab.relay, "/delivery");
  await page.getByRole("link", { name: /Dead letters\s*1/ }).waitFor();
  await axe(page);
  await page.getByRole("link", { name: "Dead letters", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("/delivery/dead-letters");
  await axe(page);
  await page.getByRole("link", { name: /^metric/ }).focus();
  await page.keyboard.press("Enter");
  const item = page.getByLabel("Item as JSON");
  expect(JSON.parse(await item.inputValue())).toMatchObject({ key: "poison", value: 13, step: 7 });
  await axe(page);
  await item.fill('{"key": "cured", "value": 14, "step": 1.5, "timestamp": 1}');
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("item.step").waitFor();
  await page.keyboard.press("Escape");
  await item.fill(JSON.stringify({ key: "cured", value: 14, step: 8, timestamp: AT }));
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("status").waitFor();
  await page.getByText("replayed", { exact: true }).waitFor();
  await lab.relay.delivered("letters");
  const run = await lab.mlflow.trial("letters", "t");
  expect(run.points).toEqual([point("cured", 8, AT, 14), point("loss", 1, AT, 2)].sort());
  expect(page.troubles.filter((text) => !text.includes("422"))).toEqual([]);
});

test("a conflict is shown with both values, and taken one way it is that way in MLflow", async () => {
  const t = trialOf("disputed");
  await lab.relay.send([t.announce(), t.start({ run_name: "first" })]);
  await lab.relay.delivered("disputed");
  const { runId } = await lab.mlflow.trial("disputed", "t");
  unwrap(await lab.mlflow.client.updateRun({ runId, runName: HOSTILE }));
  await lab.relay.send(t.start({ occurred_at: AT + 5 * MINUTE_MS, run_name: "ours" }));
  await lab.relay.delivered("disputed");
  const page = await signedIn(lab.relay, "/delivery/conflicts?state=open&model_run_id=disputed");
  await page.getByText(HOSTILE).waitFor();
  await page.getByText("ours", { exact: true }).waitFor();
  expect(await page.title()).toContain("Conflicts");
  await axe(page);
  await page.getByRole("button", { name: /^Take MLflow's: / }).click();
  await page.getByRole("heading", { name: "No conflict" }).waitFor();
  await lab.relay.delivered("disputed");
  expect((await lab.mlflow.run(runId)).name).toBe(HOSTILE);
  expect(page.troubles).toEqual([]);
});

test("what stands still is restored after its plan was shown", async () => {
  const t = trialOf("blocked");
  await lab.relay.send([t.announce(), t.start()]);
  await lab.relay.delivered("blocked");
  const { runId } = await lab.mlflow.trial("blocked", "t");
  unwrap(await lab.mlflow.client.deleteRun(runId));
  await lab.relay.send(t.complete());
  const page = await signedIn(lab.relay, "/delivery/blocked?model_run_id=blocked");
  await page.getByText("must be in the 'active' state").waitFor();
  await axe(page);
  await page.getByRole("button", { name: "Restore: t" }).click();
  const plan = page.getByRole("dialog");
  await plan.getByText(`Restore the run ${runId} in MLflow`).waitFor();
  await axe(page);
  await plan.getByRole("button", { name: "Leave it" }).click();
  expect((await lab.mlflow.run(runId)).lifecycleStage).toBe("deleted");
  await page.getByRole("button", { name: "Restore: t" }).click();
  await plan.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("status").waitFor();
  await lab.relay.delivered("blocked");
  expect(await lab.mlflow.trial("blocked", "t")).toMatchObject({
    runId,
    status: "FINISHED",
    lifecycleStage: "active",
  });
});

describe("tokens", () => {
  const made = z.object({ token: z.string() });

  test("are made, shown once and revoked; one that only reads is offered nothing else", async () => {
    const page = await signedIn(lab.relay, "/delivery/tokens");
    await page.getByLabel("For whom or what").fill(HOSTILE);
    await page.getByLabel("ingest (").uncheck();
    await page.getByLabel("read (").check();
    await page.getByRole("button", { name: "Make it" }).click();
    const token = (await page.getByRole("dialog").getByText(/^tr_/).textContent()) ?? "";
    await page.keyboard.press("Escape");
    await page.getByRole("row", { name: /evil/ }).getByText("active").waitFor();
    await axe(page);
    expect(await page.content()).not.toContain(token);

    const reader = await tab(lab.relay);
    await reader.goto("/sign-in?next=/delivery/conflicts");
    await reader.getByLabel("Token").fill(token);
    await reader.keyboard.press("Enter");
    await reader.waitForURL("/delivery/conflicts");
    expect(await reader.getByRole("link", { name: "Tokens" }).count()).toBe(0);
    for (const button of await reader.getByRole("button", { name: /^Take/ }).all())
      expect(await button.isDisabled()).toBe(true);
    expect((await reader.goto("/delivery/tokens"))?.status()).toBe(403);
    const asked = await reader.evaluate(
      async () => (await fetch("/api/ops/tokens", { method: "POST", body: "{}" })).status,
    );
    expect(asked).toBe(403);

    await page.getByRole("button", { name: /^Revoke/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("row", { name: /evil/ }).getByText("revoked").waitFor();
  });

  test("another site can have a browser do nothing", async () => {
    const page = await signedIn(lab.relay, "/delivery");
    const [cookie] = await page.context().cookies();
    const { status } = await fetch(`${lab.relay.url}/api/ops/tokens`, {
      method: "POST",
      headers: {
        cookie: `${cookie?.name}=${cookie?.value}`,
        origin: "https://elsewhere.test",
        "content-type": "text/plain",
      },
      body: JSON.stringify({ name: "stolen", scopes: ["admin"] }),
    });
    expect(status).toBe(403);
    const own = await lab.relay.ask("/api/ops/tokens", { name: "own", scopes: ["read"] });
    expect(made.parse(own.body).token).toMatch(/^tr_/);
  });
});

test("an experiment is read and followed, and the jobs are there to see", async () => {
  const t = trialOf("followed");
  await lab.relay.send([t.announce(), t.start()]);
  await lab.relay.delivered("followed");
  const page = await signedIn(lab.relay, "/delivery/jobs");
  await page.getByLabel("Name of the experiment to read").fill("followed");
  await page.getByRole("button", { name: "Read it now" }).click();
  await page
    .getByRole("row", { name: /sync experiment/ })
    .getByText("succeeded")
    .waitFor();
  await page.getByLabel("Name of the experiment to follow").fill("followed");
  await page.getByRole("button", { name: "Follow it" }).click();
  await page.getByRole("button", { name: /^Follow no more/ }).waitFor();
  await axe(page);
  await lab.relay.cron();
  await page.goto("/delivery/passes");
  await page
    .getByRole("row", { name: /poked|nothing to do|watched/ })
    .first()
    .waitFor();
  await axe(page);
  await page.goto("/delivery/refusals");
  await axe(page);
});
