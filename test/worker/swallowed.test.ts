import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { planBackfill } from "../../src/relay/repair/backfill.ts";
import { sendAgain } from "../../src/relay/repair/send-again.ts";
import { confirmDelivered } from "../../src/relay/stream/confirm.ts";
import { post } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { deliverAll, invoked, pokesOf, study } from "./invocations.ts";
import { losing } from "./losing.ts";
import { OddMlflow, TOO_LONG } from "./odd-mlflow.ts";
import { metric } from "./payloads.ts";

/** What answered in MLflow's place with `{}`, while the database loses its connection as that is put right. */

/** So often at most is a statement tried. */
const TRIES = 4;
const POINTS = 3;

test.each(["before", "after"] as const)(
  "a batch that somebody else took arrives, whichever statement of putting it right is lost for good %s it took effect",
  async (when) => {
    for (let nth = 0; ; nth++) {
      const name = `swallowed-${when}-${nth}`;
      const mlflow = new OddMlflow();
      await study(name, 1, POINTS);
      const swallow = { status: 200, body: "{}" };
      mlflow.odd = (called) => (called === "runs/log-batch" ? swallow : null);
      await deliverAll(mlflow, await pokesOf(name), 2);
      mlflow.odd = () => null;
      const points = () =>
        mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id")).map((run) => run.points.size);
      expect(points()).toEqual([0]);

      const { db, losses } = losing({ isLost: (n) => n >= nth && n < nth + TRIES, when });
      await confirmDelivered(invoked(mlflow, { db }).deps).catch(() => undefined);
      // The lease of whoever could not give it back runs out.
      await env.DB.prepare("update streams set lease_until = 0").run();
      await confirmDelivered(invoked(mlflow).deps);
      await deliverAll(mlflow, await pokesOf(name), 2);
      expect(points(), `statement ${nth}`).toEqual([POINTS]);
      if (losses() === 0) break;
    }
  },
);

test("what is sent in parts, since MLflow refuses an item among them, arrives though somebody else takes any one part", async () => {
  for (let nth = 0; ; nth++) {
    const name = `parts-${nth}`;
    const mlflow = new OddMlflow();
    await study(name, 1, POINTS * POINTS);
    let calls = 0;
    let swallowed = 0;
    mlflow.odd = (called, { metrics }) => {
      if (called !== "runs/log-batch") return null;
      // An item in the middle that is never taken, so that the batch is halved down to it.
      if (metrics.some(({ step }) => step === POINTS + 1)) return TOO_LONG;
      // The parent's run has none.
      if (metrics.length === 0 || calls++ !== nth) return null;
      swallowed++;
      return { status: 200, body: "{}" };
    };
    await deliverAll(mlflow, await pokesOf(name), 2);
    await confirmDelivered(invoked(mlflow).deps);
    await deliverAll(mlflow, await pokesOf(name), 2);
    const own = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
    expect(
      own.map((run) => run.points.size),
      `part ${nth}`,
    ).toEqual([POINTS * POINTS - 1]);
    if (swallowed === 0) break;
  }
});

test("a part is not taken for another one of an earlier turn, which was cut otherwise", async () => {
  const [many, last] = [150, 140];
  const mlflow = new OddMlflow();
  await study("cut otherwise", 1, many);
  let taken = 0;
  mlflow.odd = (called, { metrics }) => {
    if (called !== "runs/log-batch" || metrics.length === 0) return null;
    if (metrics.some(({ step }) => step === last)) return TOO_LONG;
    // The second part of the first turn, and the first of the next.
    return [1, 2].includes(taken++) ? { status: 200, body: "{}" } : null;
  };
  await deliverAll(mlflow, await pokesOf("cut otherwise"), 2);
  const own = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
  expect(own.map((run) => run.points.size)).toEqual([many - 1]);
});

test("what an operator has sent again arrives, though before it is sent a later batch is seen to have been swallowed", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  const at = (step: number) => metric("restored", { event_id: `${step}`, step, metrics: { loss: step } });
  await post([0, 1, 2].map(at));
  const id = await env.DB.prepare("select id from streams where trial_id = 'restored'").first<number>("id");
  if (id === null) throw new Error("it was not kept");
  await drive(deps, id);
  await confirmDelivered(deps);
  // MLflow's database is set back, and what stands between takes what comes next.
  const [run] = [...mlflow.runs.values()];
  run?.metrics.splice(1, 1);
  mlflow.trouble = (endpoint) => (endpoint === "runs/log-batch" ? "swallowed" : null);
  await post(at(3));
  await drive(deps, id);
  mlflow.trouble = () => null;
  const everything = { fromTime: null, toTime: null, fromStep: null, toStep: null, onlyMissing: true };
  const planned = await planBackfill(deps, id, everything, null);
  if (planned.kind !== "plan") throw new Error(planned.kind);
  expect(await sendAgain(deps, id, planned.plan)).toBe(true);
  await confirmDelivered(deps);
  await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
  await drive(deps, id);
  expect(new Set(run?.metrics.map(({ step }) => step))).toEqual(new Set([0, 1, 2, 3]));
});
