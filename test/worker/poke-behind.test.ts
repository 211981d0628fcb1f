import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { pokeBehind } from "../../src/relay/stream/wake.ts";
import { recordingQueue } from "./job-tools.ts";
import { TrackingServer } from "./tracking-server.ts";

const TRIALS = 7_000;
const PASSES = 12;

/** The trials that so many passes have poked, none of which gets on. */
async function poked(passes: number): Promise<Set<number>> {
  const { sent, queue } = recordingQueue();
  for (let pass = 0; pass < passes; pass++) {
    const random = () => (pass + 0.5) / passes;
    await pokeBehind({ ...new TrackingServer().deps(), trials: queue, random });
  }
  return new Set(sent.flatMap(({ body }) => (body.kind === "poke" ? [body.streamId] : [])));
}

test("of more trials than a pass may poke none waits for ever behind those that stay behind", async () => {
  await env.DB.prepare(
    `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq)
     with recursive n (n) as (select 1 union all select n + 1 from n where n < ?1)
     select 'behind-' || n, 'trial', 'behind-' || n, 1, 1, 1 from n`,
  )
    .bind(TRIALS)
    .run();
  expect((await poked(1)).size).toBeLessThan(TRIALS);
  expect((await poked(PASSES)).size).toBe(TRIALS);
});
