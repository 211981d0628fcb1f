import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { confirmDelivered } from "../../src/relay/stream/confirm.ts";
import { deliverAll, invoked, losing, pokesOf, study } from "./invocations.ts";
import { OddMlflow } from "./odd-mlflow.ts";

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

      const { db, losses } = losing((n) => n >= nth && n < nth + TRIES, when);
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
