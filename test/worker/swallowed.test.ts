import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { confirmDelivered } from "../../src/relay/stream/confirm.ts";
import { deliverAll, invoked, pokesOf, study } from "./invocations.ts";
import { losing } from "./losing.ts";
import { OddMlflow, TOO_LONG } from "./odd-mlflow.ts";

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
