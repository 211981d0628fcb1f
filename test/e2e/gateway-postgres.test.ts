import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgresLab, type PostgresLab, UNANNOUNCED } from "./lab.ts";

/** Where MLflow's database is a PostgreSQL it refuses what MLflow itself would take. */

/** MLflow takes names of up to 500 characters, and its column has room for so many. */
const ROOM = 256;

let lab: PostgresLab;
beforeAll(async () => {
  lab = await openPostgresLab(UNANNOUNCED);
});
afterAll(() => lab?.close());

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
