import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { Facts } from "../../src/domain/types.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { losing } from "./losing.ts";
import { mergeWorld } from "./merge-world.ts";

/** What MLflow took and the database could not be told is the relay's own word, and nobody's edit in MLflow. */

/** So often at most is a statement tried. */
const TRIES = 4;

type Run = Awaited<ReturnType<ReturnType<typeof mergeWorld>["trial"]>>["run"];
const cases: [string, { first: Facts; later: Facts; of: (run: Run) => unknown; wanted: string }][] = [
  [
    "a tag",
    {
      first: { tags: { k: "B" } },
      later: { tags: { k: "C" } },
      of: ({ tags }) => tags.get("k"),
      wanted: "C",
    },
  ],
  [
    "a tag that is taken away",
    { first: { untags: ["k"] }, later: { tags: { k: "C" } }, of: ({ tags }) => tags.get("k"), wanted: "C" },
  ],
  [
    "an end",
    { first: { ends: "succeeded" }, later: { resumes: true }, of: ({ status }) => status, wanted: "RUNNING" },
  ],
];

describe.each(["before", "after"] as const)("a statement that is lost for good %s it took effect", (when) => {
  test.each(cases)("leaves %s that the trainer says otherwise as it was said last", async (_, facts) => {
    for (let nth = 0; ; nth++) {
      const { mlflow, trial } = mergeWorld({ RELAY_MERGE_TAGS: "mlflow" });
      const t = await trial({ k: "A" });
      await t.say(facts.first);
      // So that the breaker is to hear of a call that succeeds.
      mlflow.trouble = () => "refused";
      await t.deliver();
      mlflow.trouble = () => null;
      await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(t.id).run();
      const { db, losses } = losing({ isLost: (n) => n >= nth && n < nth + TRIES, when });
      await drive(mlflow.deps({ DB: db, RELAY_MERGE_TAGS: "mlflow" }), t.id).catch(() => undefined);
      // The lease of whoever could not give it back runs out, and nothing can land any more.
      await env.DB.prepare("update streams set lease_until = 0, fence_until = 0 where id = ?1")
        .bind(t.id)
        .run();
      await t.say(facts.later);
      await t.deliver();
      await t.deliver();
      expect([facts.of(t.run), await t.conflicts()], `statement ${nth}`).toEqual([facts.wanted, []]);
      if (losses() === 0) break;
    }
  });
});
