import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import * as z from "zod";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { cool } from "../../src/store/stream/warm.ts";
import { foldAll, idOf as keyOf, post, request } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metric, start } from "./payloads.ts";

/**
 * What is looked for among the few streams that have something to do is found in an index of the warm ones, whoever
 * gave them something to do; and what has nothing to do leaves that index.
 */

const listed = z.object({
  trials: z.array(z.looseObject({ trial_id: z.string(), updated_at: z.string() })),
  next_cursor: z.string().nullable(),
});

const HOUR_MS = 3_600_000;
const AN_HOUR_ON = Date.now() + HOUR_MS;

async function idOf(trial: string): Promise<number> {
  const id = await env.DB.prepare("select id from streams where trial_id = ?1")
    .bind(trial)
    .first<number>("id");
  if (id === null) throw new Error(`no trial ${trial}`);
  return id;
}

const warm = async (trial: string) =>
  env.DB.prepare(
    "select s.warm as stream, t.warm as trial from streams s join trials t on t.id = s.id where s.trial_id = ?1",
  )
    .bind(trial)
    .first();

const deps = (now = Date.now()) => ({
  ...new FakeMlflow().deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" }),
  now: () => now,
});

/** A trial of which everything is in MLflow and was seen there, and of which nothing was heard for an hour. */
async function atRest(trial: string): Promise<number> {
  await post(start(trial));
  const id = await idOf(trial);
  await drive(deps(), id);
  await env.DB.prepare("update streams set unconfirmed = null where id = ?1").bind(id).run();
  await cool(env.DB, AN_HOUR_ON);
  expect(await warm(trial)).toEqual({ stream: 0, trial: 0 });
  return id;
}

beforeEach(async () => {
  await env.DB.prepare("update streams set warm = 0, delivered_seq = last_seq, unconfirmed = null").run();
});

it.each([
  ["an event", async (trial: string) => void (await post(metric(trial, { metrics: { loss: 1 }, step: 1 })))],
  ["a delivery that is taken back", "update streams set delivered_seq = delivered_seq - 1 where id = ?1"],
  [
    "a journal that grew, as another build writes it",
    "update streams set last_seq = last_seq + 1 where id = ?1",
  ],
  [
    "what was sent and is to be seen",
    `update streams set unconfirmed = '[{"slot":0,"token":"t","after":0}]' where id = ?1`,
  ],
])("%s makes a stream warm that was at rest", async (name, how) => {
  const id = await atRest(name);
  if (typeof how === "string") await env.DB.prepare(how).bind(id).run();
  else await how(name);
  expect(await warm(name)).toMatchObject({ stream: 1 });
  // It stays so, however long it takes.
  await cool(env.DB, AN_HOUR_ON);
  expect(await warm(name)).toMatchObject({ stream: 1 });
});

it("a trial that goes on and is heard of once an epoch writes no index of lists each time, one that is over rests soon", async () => {
  const HALF_AN_HOUR_ON = Date.now() + HOUR_MS / 2;
  await post(start("slow"));
  await post(start("over"));
  await post({ ...start("over", { event_id: "end", metrics: {} }), event: "ml.trial.complete" });
  for (const trial of ["slow", "over"]) {
    const id = await idOf(trial);
    await drive(deps(), id);
    await env.DB.prepare("update streams set unconfirmed = null where id = ?1").bind(id).run();
  }
  await cool(env.DB, HALF_AN_HOUR_ON);
  expect(await warm("slow")).toEqual({ stream: 0, trial: 1 });
  expect(await warm("over")).toEqual({ stream: 0, trial: 0 });
});

it("a trial that was at rest is found by the cron and by its state, once it is behind", async () => {
  const id = await atRest("found");
  await env.DB.prepare("update streams set delivered_seq = 0, poked_until = 0 where id = ?1").bind(id).run();
  expect(await reconcile(deps())).toMatchObject({ poked_trials: 1 });
  const { body } = await request("/api/trials?sync_state=pending");
  expect(body).toMatchObject({ trials: [{ trial_id: "found" }] });
});

it("trials are in order of their last change, at rest or not, over pages of every size", async () => {
  const names = ["first", "second", "third", "fourth", "fifth"];
  for (const name of names) await post(start(name, { model_run_id: "changes" }));
  await foldAll();
  for (const [n, name] of names.entries())
    await env.DB.batch(
      ["trials", "streams"].map((table) =>
        env.DB.prepare(`update ${table} set updated_at = ?1 where trial_id = ?2`).bind(1_000 + n, name),
      ),
    );
  await env.DB.prepare("update trials set warm = 0 where trial_id in ('first', 'third', 'fourth')").run();
  for (const [sort, expected] of [
    ["updated_at", names],
    ["-updated_at", names.toReversed()],
  ] as const)
    for (const limit of [1, 2, 3, 10]) {
      const seen: string[] = [];
      let cursor = "";
      do {
        const query = `/api/trials?model_run_id=changes&sort=${sort}&limit=${limit}${cursor && `&cursor=${cursor}`}`;
        const { body } = await request(query);
        const page = listed.parse(body);
        seen.push(...page.trials.map(({ trial_id }) => trial_id));
        cursor = page.next_cursor ?? "";
      } while (cursor !== "");
      expect(seen, `${sort} by ${limit}`).toEqual(expected);
    }
});

it("a metric is a trial's last change, warm or cold, though the trial's own row has nothing of it", async () => {
  const study = { model_run_id: "metrics only" };
  const at = async () => {
    const { body } = await request(
      `/api/trials?model_run_id=${encodeURIComponent(study.model_run_id)}&sort=-updated_at`,
    );
    return listed.parse(body).trials.map(({ trial_id, updated_at }) => [trial_id, updated_at]);
  };
  const row = (trial: string) =>
    env.DB.prepare("select updated_at, core, warm from trials where trial_id = ?1").bind(trial).first();
  for (const trial of ["older", "newer"]) {
    await post([start(trial, study), metric(trial, { ...study, metrics: { loss: 2 }, step: 0 })]);
    await foldAll();
    await scheduler.wait(2);
  }
  expect((await at()).map(([trial]) => trial)).toEqual(["newer", "older"]);
  const before = await row("older");
  await post(metric("older", { ...study, metrics: { loss: 1 }, step: 7 }));
  await foldAll();
  expect(await row("older")).toEqual(before);
  const shown = await at();
  expect(shown.map(([trial]) => trial)).toEqual(["older", "newer"]);
  expect((await request(`/api/trials/${await keyOf("older")}`)).body).toMatchObject({
    updated_at: shown[0]?.[1],
  });

  await cool(env.DB, AN_HOUR_ON);
  expect(await row("older")).toMatchObject({ warm: 0 });
  expect(await at()).toEqual(shown);

  await post(metric("newer", { ...study, metrics: { loss: 1 }, step: 1 }));
  await foldAll();
  expect((await at()).map(([trial]) => trial)).toEqual(["newer", "older"]);
  expect(await row("newer")).toMatchObject({ warm: 1 });
});

it("what is said once more is no change of a trial at rest, which shows the time that it is listed by", async () => {
  const study = { model_run_id: "said twice" };
  const said = { ...metric("first of two", { ...study, metrics: { loss: 1 }, step: 1 }), event_id: "once" };
  await post([start("first of two", study), said, start("second of two", study)]);
  await foldAll();
  await env.DB.prepare("update streams set delivered_seq = last_seq").run();
  for (const [n, name] of ["first of two", "second of two"].entries())
    await env.DB.batch(
      ["trials", "streams"].map((table) =>
        env.DB.prepare(`update ${table} set updated_at = ?1 where trial_id = ?2`).bind(1_000 + n, name),
      ),
    );
  await cool(env.DB, AN_HOUR_ON);
  expect((await post(said)).body).toMatchObject({ duplicate: true });
  const { body } = await request("/api/trials?model_run_id=said%20twice&sort=updated_at");
  expect(listed.parse(body).trials.map(({ trial_id, updated_at }) => [trial_id, updated_at])).toEqual([
    ["first of two", new Date(1_000).toISOString()],
    ["second of two", new Date(1_001).toISOString()],
  ]);
});

it("an end's metrics without a step come after all that only the stream's own row knows of", async () => {
  const mlflow = new FakeMlflow();
  const at = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  await post(start("ends"));
  const id = await idOf("ends");
  await drive(at, id);
  await post(metric("ends", { metrics: { loss: 1 }, step: 7 }));
  await drive(at, id);
  await post({ ...start("ends"), event: "ml.trial.complete", metrics: { acc: 0.5 } });
  await drive(at, id);
  const [run] = mlflow.runs.values();
  expect(run?.metrics.filter(({ key }) => key === "acc")).toMatchObject([{ step: 7, value: 0.5 }]);
});
