import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { type Facts, type JournalEvent, type Point, streamIdentity } from "../../src/domain/types.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { pullStream } from "../../src/relay/follow/pull.ts";
import { digest } from "../../src/relay/intake/identify.ts";
import { ingest } from "../../src/relay/intake/ingest.ts";
import { confirmDelivered } from "../../src/relay/stream/confirm.ts";
import { FakeMlflow, type Trouble } from "./fake-mlflow.ts";

/**
 * Writes to MLflow whose effect and whose answer part. Whatever becomes of one of them, the run ends as if nothing had
 * happened, and nothing that the relay wrote itself is taken for an edit made in MLflow.
 */

const BEGUN_MS = Date.UTC(2026, 0, 1);
const MAX_ROUNDS = 300;
let count = 0;

type Word = { facts: Facts | null; points?: Point[]; type?: JournalEvent["type"] };

function metric(step: number): Point {
  return { key: "loss", value: 1 / step, step, timestamp: BEGUN_MS + step };
}

/** What a trainer says; each is delivered before the next, unless something holds it up. */
const COURSE: Word[] = [
  { facts: { announces: true, starts: true, tags: { k: "A" }, params: { lr: "0.1" } }, points: [metric(1)] },
  { facts: { tags: { k: "B" } }, points: [metric(2)] },
  { facts: { quiet: { heardAt: BEGUN_MS + 2, as: "cancelled" } }, type: "relay.trial.quiet" },
  { facts: { tags: { k: "A" }, fields: { run_name: "second" } }, points: [metric(3)] },
  { facts: { announces: true, ends: "failed" } },
  { facts: { resumes: true, tags: { k: "C" } }, points: [metric(4)] },
  { facts: { announces: true, ends: "skipped" } },
  { facts: { resumes: true } },
  { facts: { announces: true, ends: "succeeded", tags: { k: "A" } }, points: [metric(5)] },
];

/** A trial by itself, brought to its end whatever becomes of the calls. */
async function brought(
  course: readonly Word[],
  trouble: (endpoint: string) => Trouble,
  look: (deps: Deps, id: number) => Promise<unknown> = (deps, id) => pullStream(deps, id, null),
) {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", MLFLOW_REQUEST_TIMEOUT: "400" });
  const trialId = `fenced-${++count}`;
  const stream = {
    key: await digest(streamIdentity(null, trialId)),
    kind: "trial" as const,
    modelRunId: null,
    trialId,
    parentKey: null,
  };
  mlflow.trouble = trouble;
  const row = () =>
    env.DB.prepare(
      "select id, delivered_seq = last_seq and doubt is null as settled from streams where key = ?1",
    )
      .bind(stream.key)
      .first<{ id: number; settled: number }>();
  const once = async () => {
    const { id } = (await row()) ?? { id: 0 };
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
    await drive(deps, id);
    await look(deps, id);
  };
  for (const [n, { facts, points = [], type = "ml.trial.start" }] of course.entries()) {
    const id = `e${n}`;
    const occurredAt = BEGUN_MS + 1_000 * n;
    const event = { stream, id, type, hash: id, occurredAt, acceptedAt: occurredAt, correlationId: id };
    await ingest(deps, [{ ...event, facts, points }]);
    await once();
  }
  for (let round = 0; round < MAX_ROUNDS && (await row())?.settled !== 1; round++) {
    await new Promise((done) => setTimeout(done, 50));
    await once();
  }
  // What lands late has landed by now, and whoever looks sees it.
  mlflow.land(Number.POSITIVE_INFINITY);
  await once();
  await once();
  const runs = [...mlflow.runs.values()].filter(({ lifecycle }) => lifecycle === "active");
  const edits = await env.DB.prepare(
    "select count(*) as n from events e join streams s on s.id = e.stream_id where s.key = ?1 and type = 'relay.mlflow'",
  )
    .bind(stream.key)
    .first<number>("n");
  const conflicts = await env.DB.prepare(
    "select c.kind, c.field from conflicts c join streams s on s.id = c.stream_id where s.key = ?1",
  )
    .bind(stream.key)
    .all();
  return {
    settled: (await row())?.settled,
    runs: runs.map(shown),
    edits,
    conflicts: conflicts.results,
    calls: mlflow.calls,
  };
}

/** A run by what the trainer said, without what the relay keeps for itself. */
function shown(run: FakeMlflow["runs"] extends Map<string, infer R> ? R : never) {
  const isOwn = (key: string) => /^(relay\.(batch|nonce)|mlflow\.|thunderline_trial)/.test(key);
  const points = new Set(run.metrics.map(({ step, value }) => `${step}: ${value}`));
  return {
    name: run.name,
    status: run.status,
    endTime: run.endTime,
    params: [...run.params],
    tags: [...run.tags].filter(([key]) => !isOwn(key)).toSorted(),
    points: [...points].toSorted(),
  };
}

let untroubled: Awaited<ReturnType<typeof brought>>;
beforeAll(async () => {
  untroubled = await brought(COURSE, () => null);
});

test("an untroubled trial ends as it was told", () => {
  expect(untroubled).toMatchObject({
    settled: 1,
    runs: [{ name: "second", status: "FINISHED", params: [["lr", "0.1"]] }],
    edits: 0,
    conflicts: [],
  });
});

const WRITES = ["runs/create", "runs/log-batch", "runs/update", "runs/set-tag", "runs/delete-tag"];
const TROUBLES: Trouble[] = ["unanswered", "late", "errs"];

describe.each(TROUBLES)("where one write is %s", (trouble) => {
  test.each(WRITES)("and that is a %s, nothing of it shows in the end", async (endpoint) => {
    const calls = untroubled.calls.filter((call) => call === endpoint).length;
    expect(calls).toBeGreaterThan(0);
    const outcomes = await Promise.all(
      Array.from({ length: calls }, (_, nth) => {
        let seen = 0;
        return brought(COURSE, (call) => (call === endpoint && seen++ === nth ? trouble : null));
      }),
    );
    for (const outcome of outcomes)
      expect({ ...outcome, calls: null }).toEqual({ ...untroubled, calls: null });
  });
});

test("a batch that something between swallowed with MLflow's own words is found missing, and sent again", async () => {
  const batches = untroubled.calls.filter((call) => call === "runs/log-batch").length;
  const looks = { pull: undefined, cron: confirmDelivered };
  const outcomes = await Promise.all(
    Object.values(looks).flatMap((look) =>
      Array.from({ length: batches }, (_, nth) => {
        let seen = 0;
        const trouble = (call: string) => (call === "runs/log-batch" && seen++ === nth ? "swallowed" : null);
        return brought(COURSE, trouble, look);
      }),
    ),
  );
  for (const outcome of outcomes) expect({ ...outcome, calls: null }).toEqual({ ...untroubled, calls: null });
});

test("more batches than there are tags for them are each confirmed, also where several were swallowed", async () => {
  const points = Array.from({ length: 12_000 }, (_, n) => metric(n + 1));
  const course = [
    { facts: { announces: true, starts: true }, points },
    { facts: { ends: "succeeded" } },
  ] as const;
  let seen = 0;
  const { runs, settled } = await brought(course, (call) =>
    call === "runs/log-batch" && [2, 7, 8].includes(seen++) ? "swallowed" : null,
  );
  expect([settled, runs[0]?.points.length]).toEqual([1, 12_000]);
});
