import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { readStanding } from "../../src/store/views/standing.ts";
import { idOf, post, request } from "./api.ts";
import { page } from "./page.ts";

/** The pages of delivery: that each is there, and that none reads more the more is finished. */

const PAGES = [
  "/delivery",
  "/delivery/standing",
  "/delivery/blocked",
  "/delivery/dead-letters",
  "/delivery/refusals",
  "/delivery/conflicts",
  "/delivery/jobs",
  "/delivery/passes",
  "/delivery/tokens",
];
const FINISHED = 20_000;
/** What a page may read where nothing waits. */
const MOST_ROWS = 200;

test.each(PAGES)("%s reads no more when much is finished", async (path) => {
  await env.DB.prepare(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${FINISHED})
     insert or ignore into streams (key, kind, model_run_id, trial_id, last_seq, delivered_seq, warm, created_at, updated_at)
     select printf('%032d', i), 'trial', 'past', 't' || i, 1, 1, 0, 1, 1 from n`,
  ).run();
  const { status, rowsRead } = await page(path);
  expect(status).toBe(200);
  expect(rowsRead).toBeLessThan(MOST_ROWS);
});

test("what waits is counted, and since when", async () => {
  const accepted = Date.now();
  await post([{ event: "ml.run.start", model_run_id: "m", requested_trials: 1, search_space_version: 1 }]);
  const standing = await readStanding(env.DB);
  expect(standing).toMatchObject({ behind: 1, blocked: 0, deadLetters: 0, conflicts: 0 });
  expect(Math.abs((standing.oldestAt ?? 0) - accepted)).toBeLessThan(60_000);
});

test("the line at the top of every page costs nothing to be asked for again", async () => {
  const first = await page("/delivery/standing");
  expect(JSON.parse(first.text)).toMatchObject({ mlflow: "well", troubles: 0 });
  const again = await page("/delivery/standing", {
    headers: { "if-none-match": first.headers.get("etag") ?? "" },
  });
  expect(again.status).toBe(304);
});

test("a job leads to what it is about: a trial, or a model run", async () => {
  await post([
    { event: "ml.run.start", model_run_id: "a/b", requested_trials: 1, search_space_version: 1 },
    { event: "ml.trial.start", model_run_id: "a/b", trial_id: "asked", spectral_norm: true },
  ]);
  const trial = await idOf("asked");
  await request("/api/sync/model-runs/a%2Fb", { method: "POST" });
  await request(`/api/sync/trials/${trial}`, { method: "POST" });
  const { text } = await page("/delivery/jobs");
  const leads = new Set([...text.matchAll(/href="(\/(?:trials|model-runs)\/[^"]+)"/g)].map(([, to]) => to));
  expect(leads).toEqual(new Set(["/model-runs/a%2Fb", `/trials/${trial}`]));
  for (const to of leads) expect((await page(to ?? "")).status).toBe(200);
});
