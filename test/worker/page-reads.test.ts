import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { studyStatements } from "../../bench/study-statements.ts";
import { cool } from "../../src/store/stream/warm.ts";
import { page } from "./page.ts";

/** What it costs to look at a model run of many trials: 4 parameters and 3 metrics each. */
const TRIALS = 2_000;
const HOUR_MS = 3_600_000;
const SHOWN =
  "params.lr,params.layers,params.units,params.seed,metrics.accuracy,metrics.loss,metrics.train/loss";

beforeAll(async () => {
  const { statements } = studyStatements({ study: "study", trials: TRIALS, long: 0, points: 0 });
  await env.DB.batch(statements.map((statement) => env.DB.prepare(statement)));
  await cool(env.DB, Date.now() + HOUR_MS);
});

it.each([
  ["/model-runs/study", 1],
  ["/model-runs/study?sort=-metrics.accuracy", 5],
  ["/model-runs/study?filter=metrics.loss+<+0.5", 5],
  ["/compare?model_run=study", 0.1],
  [`/trials/${"1".padStart(32, "0")}`, 0.1],
  ["/api/model-runs/study", 0.1],
  ["/api/trial-table?model_run_id=study&limit=1", 0.1],
  ["/api/trial-columns?model_run_id=study&newest=200", 3],
  [`/api/trial-table?model_run_id=study&columns=${SHOWN}`, 10.1],
])("%s reads at most %d rows a trial", async (path, most) => {
  const { status, rowsRead, meter } = await page(path);
  expect(status).toBe(200);
  expect(rowsRead, meter.worst()).toBeLessThanOrEqual(most * TRIALS);
});
