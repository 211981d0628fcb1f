import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { foldAll, post, request } from "./api.ts";
import { invoked, messageOf } from "./invocations.ts";
import { recordingQueue } from "./job-tools.ts";
import { losing } from "./losing.ts";
import { OddMlflow } from "./odd-mlflow.ts";
import { metric, start } from "./payloads.ts";

/**
 * The journal has an event, and nobody heard it: the mark of a poke stands, and no poke was sent. Whoever says the event
 * again sends it.
 */

/** A queue, and the bindings of a request whose journal's answer is lost. */
function unheard() {
  const { sent, queue } = recordingQueue();
  const { db } = losing({ isLost: () => true, when: "after", among: /insert into events/i });
  return { sent, bindings: { TRIALS: queue, DB: db } };
}

const say = (body: object, bindings: object) =>
  request("/api/events/ml", { method: "POST", body: JSON.stringify(body), bindings });

const pokesIn = (sent: readonly { body: RelayMessage }[]) => sent.filter(({ body }) => body.kind === "poke");

/** A trial whose start is folded, and for which no poke is on its way. */
async function started(trial: string): Promise<void> {
  await post(start(trial));
  await foldAll();
  await env.DB.prepare("update streams set poked_until = 0").run();
}

const point = (trial: string, step: number) => metric(trial, { metrics: { loss: 1 }, step });

test("an event that goes round by the queue, though the journal has it, is poked for", async () => {
  await started("round");
  const { sent, bindings } = unheard();
  expect((await say(point("round", 1), bindings)).status).toBe(202);
  expect(pokesIn(sent)).toEqual([]);
  const { deps, sent: led } = invoked(new OddMlflow());
  await consume(
    deps,
    sent.map(({ body }, n) => messageOf(body, n)),
  );
  expect(pokesIn(led)).toHaveLength(1);
});

test("what was journalled and refused is poked for when it is sent again, and no more once it is folded", async () => {
  await started("again");
  const { bindings } = unheard();
  const refusing = { sendBatch: () => Promise.reject(new Error("Queue send failed")) };
  expect((await say(point("again", 1), { ...bindings, TRIALS: refusing })).status).toBe(503);
  const { sent, queue } = recordingQueue();
  await say(point("again", 1), { TRIALS: queue });
  expect(pokesIn(sent)).toHaveLength(1);
  await foldAll();
  await say(point("again", 1), { TRIALS: queue });
  expect(pokesIn(sent)).toHaveLength(1);
});

test("what is new while a poke is on its way gets no second one", async () => {
  await started("on its way");
  const { sent, queue } = recordingQueue();
  for (const step of [1, 2, 3]) await say(point("on its way", step), { TRIALS: queue });
  expect(pokesIn(sent)).toHaveLength(1);
});
