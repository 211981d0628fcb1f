import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { companyOf, drive } from "../../src/relay/delivery/drive.ts";
import { post } from "./api.ts";
import { FakeMlflow, type Trouble } from "./fake-mlflow.ts";
import { metric, start } from "./payloads.ts";

/** One MLflow run belongs to one trial, also where two name it at the same time. */

const TURNS = 8;

test.each<[string, Trouble]>([
  ["as usual", null],
  ["with an error though it wrote", "errs"],
])(
  "of two trials that name one run one has it, and the other one of its own, where MLflow answers %s",
  async (name, trouble) => {
    const mlflow = new FakeMlflow();
    const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
    const runId = mlflow.add("RUNNING");
    const [first, second] = [`first ${name}`, `second ${name}`];
    await post(
      [first, second].flatMap((trial) => [
        start(trial, { mlflow_run_id: runId }),
        metric(trial, { step: 1, metrics: { loss: 1 } }),
      ]),
    );
    const ids = async () => {
      const query = env.DB.prepare("select id from streams where trial_id in (?1, ?2)").bind(first, second);
      return (await query.all<{ id: number }>()).results.map(({ id }) => id);
    };
    let batches = 0;
    mlflow.trouble = (endpoint) => (endpoint === "runs/log-batch" && batches++ === 0 ? trouble : null);
    for (let turn = 0; turn < TURNS; turn++) {
      const company = companyOf(deps);
      await Promise.all((await ids()).map((id) => drive(deps, id, company)));
      // A lock that was kept for what might still land is over, and so is every wait.
      await env.DB.prepare("update locks set until = 0").run();
      await env.DB.prepare("update streams set next_attempt_at = 0").run();
      await scheduler.wait(50);
    }
    const { results } = await env.DB.prepare(
      `select s.trial_id as trial, s.adopted, s.mlflow_run_id as run, s.blocked_reason as blocked, s.delivered_seq = s.last_seq as done,
       (select count(*) from conflicts c where c.stream_id = s.id and c.kind = 'run_id') as conflicts
     from streams s where s.trial_id in (?1, ?2) order by s.adopted desc`,
    )
      .bind(first, second)
      .all<{ trial: string; run: string }>();
    expect(results).toMatchObject([
      { adopted: 1, run: runId, blocked: null, done: 1, conflicts: 0 },
      { adopted: 0, blocked: null, done: 1, conflicts: 1 },
    ]);
    for (const { trial, run } of results)
      expect([trial, mlflow.runs.get(run)?.tags.get("thunderline_trial_id")]).toEqual([trial, trial]);
  },
);

test("waiting for a run that another trial is just taking spends no attempt", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  const runId = mlflow.add("RUNNING");
  await post(start("waits for it", { mlflow_run_id: runId }));
  await env.DB.prepare("insert into locks (name, token, until) values (?1, 'another', ?2)")
    .bind(`adopt:${runId}`, Date.now() + 60_000)
    .run();
  const row = () =>
    env.DB.prepare("select id, attempts, adopted from streams where trial_id = 'waits for it'").first<{
      id: number;
    }>();
  const turn = async () => {
    const { id } = (await row()) ?? { id: 0 };
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
    await drive(deps, id);
  };
  await turn();
  await turn();
  expect(await row()).toMatchObject({ attempts: 0, adopted: 0 });
  await env.DB.prepare("update locks set until = 0").run();
  await turn();
  expect(await row()).toMatchObject({ attempts: 0, adopted: 1 });
});
