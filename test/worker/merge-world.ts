import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { type Facts, streamIdentity } from "../../src/domain/types.ts";
import { consume } from "../../src/relay/consume.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { pullStream } from "../../src/relay/follow/pull.ts";
import { digest } from "../../src/relay/intake/identify.ts";
import { ingest } from "../../src/relay/intake/ingest.ts";
import { FakeMlflow } from "./fake-mlflow.ts";

let count = 0;

/** A tracking server in memory with the relay's hands on it. */
export function mergeWorld(vars: Record<string, string> = {}) {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", ...vars });
  const trial = (tags: Record<string, string> = {}, more: Facts = {}) =>
    trialIn(mlflow, deps, { announces: true, starts: true, tags, ...more });
  return { mlflow, deps, trial };
}

/** One trial that has its run, and what its trainer says of it; `run` is what MLflow has. */
async function trialIn(mlflow: FakeMlflow, deps: Deps, start: Facts) {
  const trialId = `told-${++count}`;
  const key = await digest(streamIdentity(null, trialId));
  const stream = { key, kind: "trial" as const, modelRunId: null, trialId, parentKey: null };
  /** @param ahead how far the clock is ahead by which it is said, ms */
  const say = async (facts: Facts, ahead = 0) => {
    // No two words at one moment: which of them is later is then by chance.
    await new Promise((done) => setTimeout(done, 2));
    const id = `told-${++count}`;
    const at = Date.now();
    const event = {
      stream,
      id,
      type: "ml.trial.start" as const,
      hash: id,
      correlationId: id,
      facts,
      points: [],
    };
    const kept = await ingest(deps, [{ ...event, occurredAt: at + ahead, acceptedAt: at }]);
    expect(kept.kept).toBe("journal");
  };
  await say(start);
  const id =
    (await env.DB.prepare("select id from streams where key = ?1").bind(key).first<number>("id")) ?? 0;
  const deliver = async () => {
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
    await drive(deps, id);
  };
  await deliver();
  const runId =
    (await env.DB.prepare("select mlflow_run_id as run from streams where id = ?1")
      .bind(id)
      .first<string>("run")) ?? "";
  const run = mlflow.runs.get(runId);
  if (!run) throw new Error("no run was made");
  const rows = async (query: string) => (await env.DB.prepare(query).bind(id).all()).results;
  return {
    id,
    runId,
    run,
    say,
    deliver,
    pull: () => pullStream(deps, id, null),
    conflicts: () =>
      rows(
        `select kind, field, base, relay_value as relay, mlflow_value as mlflow, decision from conflicts
         where stream_id = ?1 order by id`,
      ),
    tags: async () => {
      const all = await rows("select key, value from tags where stream_id = ?1 and removed_at is null");
      return Object.fromEntries(all.map(({ key, value }) => [key, value]));
    },
  };
}

/** Has one invocation of the consumer handle pokes of these streams. */
export async function consumePokes(deps: Deps, streamIds: readonly number[]): Promise<void> {
  const messages = streamIds.map((streamId, n) => ({
    id: String(n),
    timestamp: new Date(),
    attempts: 1,
    body: { kind: "poke" as const, streamId },
    ack() {},
    retry() {
      throw new Error(`the poke of stream ${streamId} failed`);
    },
  }));
  await consume(deps, messages);
}
