import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { compareKeys, type HistoryPlace, openRun } from "../../src/relay/repair/read-back.ts";
import { wire } from "../../src/wire.ts";
import { foldAll, post } from "./api.ts";
import { endless } from "./endless.ts";

const AT = 1_700_000_000_000;
const STEPS = 30;
const RUN = "a".repeat(32);
const isLost = (step: number) => step % 7 === 3;
const metric = { model_run_id: "m", trial_id: "t" };

/** Two metrics: two values at each step of one, one of the other. */
const POINTS = Array.from({ length: STEPS }, (_, step) => [
  { key: "long", step, timestamp: AT, value: step },
  { key: "long", step, timestamp: AT + 1, value: step + 0.5 },
  { key: "short", step, timestamp: AT, value: 1 },
]).flat();
const STRANGERS = [
  { key: "long", step: -5, timestamp: AT, value: 9 },
  { key: "long", step: 15, timestamp: AT, value: 9 },
  { key: "long", step: STEPS + 5, timestamp: AT, value: 9 },
  { key: "other", step: 1, timestamp: AT, value: 9 },
];
const MLFLOW = [...POINTS.filter(({ step }) => !isLost(step)), ...STRANGERS];
const PAGE = 11;

/** An MLflow with one run, whose histories come in small pages. */
const withVars = (vars: object) =>
  endless(wire({ ...env, ...vars }, {}, async (url) => Response.json(answer(new URL(url)))));
const deps = withVars({});

function answer({ pathname, searchParams }: URL): object {
  if (pathname.endsWith("runs/get")) {
    const metrics = ["long", "other", "short"].map((key) => ({ key, value: 0, timestamp: AT, step: 0 }));
    const info = { run_id: RUN, experiment_id: "1", status: "RUNNING", lifecycle_stage: "active" };
    return { run: { info, data: { metrics } } };
  }
  const from = Number(searchParams.get("page_token") ?? 0);
  const history = MLFLOW.filter(({ key }) => key === searchParams.get("metric_key"));
  const more = from + PAGE < history.length ? { next_page_token: String(from + PAGE) } : {};
  return { metrics: history.slice(from, from + PAGE), ...more };
}

beforeAll(async () => {
  const events = POINTS.map(({ key, step, timestamp, value }) => ({
    event: "ml.run.metric",
    ...metric,
    metric_name: key,
    metric_value: value,
    step,
    occurred_at: timestamp,
  }));
  expect((await post(events)).body).toMatchObject({ accepted: POINTS.length });
  await foldAll();
  await env.DB.prepare(
    "update streams set mlflow_run_id = ?1, delivered_seq = last_seq, planned_seq = last_seq where trial_id = 't'",
  )
    .bind(RUN)
    .run();
});

async function open() {
  const id = await env.DB.prepare("select id from streams where trial_id = 't'").first<number>("id");
  const opened = await openRun(deps, id ?? 0, null);
  if (opened.kind !== "open") throw new Error(opened.kind);
  return opened;
}

const text = (key: string, { step, timestamp }: { step: number | bigint; timestamp: number }) =>
  `${key} ${step} ${timestamp - AT}`;

/** What is missing, extra and due; `stopEvery` goes on each time from where the part before said to. */
async function compare(windowPoints: number, stopEvery: boolean) {
  const opened = await open();
  const seen = { missing: [] as string[], extra: [] as string[], due: 0 };
  const starts: (HistoryPlace | null)[] = [null];
  for (const from of starts) {
    for await (const part of compareKeys(deps, opened, from, windowPoints)) {
      if (!part.ok) throw new Error(part.failure.message);
      const { key, missing, extra, due, next } = part.value;
      seen.missing.push(...missing.map((point) => text(key, point)));
      seen.extra.push(...extra.map((point) => text(key, point)));
      seen.due += due.length;
      if (stopEvery) {
        starts.push(next);
        break;
      }
    }
  }
  return { missing: seen.missing.sort(), extra: seen.extra.sort(), due: seen.due };
}

describe("a history is compared the same", () => {
  const expected = {
    missing: POINTS.filter(({ step }) => isLost(step))
      .map((point) => text(point.key, point))
      .sort(),
    extra: STRANGERS.map((point) => text(point.key, point)).sort(),
    due: POINTS.length,
  };
  it.each([1, 2, 7, 29, 60, 61, 1_000])(
    "in parts of %i points, in one go or one after another",
    async (window) => {
      expect(await compare(window, false)).toEqual(expected);
      expect(await compare(window, true)).toEqual(expected);
    },
  );
});

it("while delivery or MLflow is off nothing is read", async () => {
  const { before } = await open();
  const off = withVars({ MLFLOW_ENABLED: "false" });
  expect(await openRun(off, before.id, null)).toMatchObject({ kind: "unreachable" });
  expect(await openRun(deps, 999_999, null)).toEqual({ kind: "no run" });
});
