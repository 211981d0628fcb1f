import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { expectArrived } from "../lib/expect-study.ts";
import { FAULTS, type Fault } from "../lib/fault-proxy.ts";
import type { Postgres } from "../lib/postgres.ts";
import { chunks, makeStudy } from "../lib/study.ts";
import { until } from "../lib/until.ts";
import { openPostgresLab, type PostgresLab } from "./lab.ts";

/** MLflow as it stands in production: its store is a PostgreSQL, which has troubles of its own. */
const TIMEOUT_MS = 2_000;
/** Within the time in which the relay expects a late effect. */
const LATE: Fault = { kind: "stall", ms: TIMEOUT_MS + 500 };
/** MLflow takes names of up to 500 characters, and its column there has room for so many. */
const ROOM = 256;
const WRITES = ["experiments/create", "runs/create", "runs/log-batch", "runs/set-tag", "runs/update"];

let lab: PostgresLab;
beforeAll(async () => {
  lab = await openPostgresLab({ MLFLOW_REQUEST_TIMEOUT: String(TIMEOUT_MS) });
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

test("a study arrives point for point", async () => {
  const study = makeStudy("study", { trials: 8, epochs: 30 });
  for (const batch of chunks(study.events, 100)) await lab.relay.send(batch);
  await lab.relay.delivered("study");
  await expectArrived(lab, "study", study);
});

test.each<[string, Fault]>([
  ["cut off after MLflow did it", FAULTS.cut],
  ["done only after the relay gave up waiting", LATE],
])("a write that is %s takes effect once, whichever it is", async (name, fault) => {
  const study = makeStudy(name, { trials: 4, epochs: 20 });
  for (const path of WRITES) lab.proxy.fail({ path, times: 2 }, fault);
  await lab.relay.send(study.events);
  await lab.relay.delivered(name);
  await expectArrived(lab, name, study);
});

async function post(path: string, body: object) {
  const response = await lab.relay.fetch(`/api/2.0/mlflow/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely, as a client in another language would.
  const answer: any = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

const stateOf = async (run_id: string) => (await lab.relay.get(`/api/trials/${run_id}`)).body;

test("an experiment's name that has no room there blocks its runs with the reason, until it has another", async () => {
  const { experiment_id } = await post("experiments/create", { name: "n".repeat(ROOM + 1) });
  const { run } = await post("runs/create", { experiment_id, start_time: 1 });
  const { run_id } = run.info;
  await post("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step: 1 });
  await lab.relay.until("it is blocked", async () => (await stateOf(run_id)).sync_state === "blocked");
  expect(await stateOf(run_id)).toMatchObject({ blocked_reason: expect.stringContaining("invalid") });
  await post("experiments/update", { experiment_id, new_name: "shorter" });
  await lab.relay.until("it is delivered", async () => (await stateOf(run_id)).sync_state === "synced");
  const [there, ...others] = await lab.mlflow.runs("shorter");
  expect([there?.points, others]).toEqual([["loss #1 @1 = 1"], []]);
});

type During = (postgres: Postgres, work: () => Promise<void>) => Promise<void>;

/** Each lasts as long as the work that is done in it. */
const TROUBLES: [string, During][] = [
  [
    "is read only after a failover",
    async (postgres, work) => {
      await postgres.set("default_transaction_read_only", "on");
      await work();
      await postgres.reset("default_transaction_read_only");
    },
  ],
  ["lacks the table of metrics amid a migration", (postgres, work) => without(postgres, "metrics", work)],
  ["lacks the table of tags amid a migration", (postgres, work) => without(postgres, "tags", work)],
  ["lacks the table of runs amid a migration", (postgres, work) => without(postgres, "runs", work)],
  [
    "is restarted",
    async (postgres, work) => {
      await postgres.stop();
      await work();
      await postgres.start();
    },
  ],
  [
    "lets no statement take its time while a table is locked",
    async (postgres, work) => {
      await postgres.set("statement_timeout", "200ms");
      await postgres.session(async (session) => {
        await session.query("begin");
        await session.query("lock table metrics, runs in share mode");
        await work();
        await session.query("rollback");
      });
      await postgres.reset("statement_timeout");
    },
  ],
];

async function without(postgres: Postgres, table: string, work: () => Promise<void>): Promise<void> {
  await postgres.hide(table);
  await work();
  await postgres.restore(table);
}

describe.each(TROUBLES)("a PostgreSQL that %s in the middle of a study", (name, during) => {
  test("costs nothing: everything arrives after it, and nothing was set aside", async () => {
    const study = makeStudy(name, { trials: 4, epochs: 20 });
    const [first = [], ...rest] = chunks(study.events, 40);
    await lab.relay.send(first);
    await lab.relay.delivered(name);
    // Whose runs are still to be made.
    const unborn = `${name}, born in it`;
    const other = makeStudy(unborn, { trials: 2, epochs: 5 });
    const before = lab.proxy.calls.length;
    await during(lab.postgres, async () => {
      for (const batch of rest) await lab.relay.send(batch);
      await lab.relay.send(other.events);
      await until("MLflow has said no to several calls", () => {
        return lab.proxy.calls.slice(before).filter(({ status }) => (status ?? 0) >= 400).length >= 4;
      });
      await lab.relay.cron();
    });
    await lab.relay.cron();
    await lab.relay.delivered(name);
    await lab.relay.delivered(unborn);
    await expectArrived(lab, name, study);
    await expectArrived(lab, unborn, other);
  });
});
