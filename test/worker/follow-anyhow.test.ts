import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { seeded } from "../../scripts/demo/random.ts";
import { consume } from "../../src/relay/consume.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { sendDue } from "../../src/relay/follow/follow.ts";
import { lookAtRuns } from "../../src/relay/follow/page.ts";
import { pullRunning } from "../../src/relay/follow/running.ts";
import type { Job, JobStep } from "../../src/relay/jobs/step.ts";
import { syncExperiment } from "../../src/relay/jobs/sync-experiment.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { invocation } from "./endless.ts";
import { messageOf } from "./invocations.ts";
import { recordingQueue } from "./job-tools.ts";
import { mergeWorld } from "./merge-world.ts";
import { type Death, mortal } from "./mortal.ts";

/**
 * Edits on both sides, looks, messages that come twice, late or never, isolates that die anywhere and clocks that jump,
 * in any order: in the end both sides say the same, and nothing is left to be followed.
 */

const { DB: db } = env;
const COURSES = 20;
const FIRST = 1;
const STEPS = 25;
const KEYS = ["a", "b"] as const;
const PASS_MS = 300_000;

/** Choices that are the same for the same seed. */
function chance(seed: number) {
  const next = seeded((seed * 2_654_435_761) >>> 0);
  const below = (n: number) => Math.floor(next() * n);
  const one = <T>(of: readonly T[]): T => {
    const chosen = of[below(of.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  };
  return { below, one };
}

async function course(seed: number) {
  const { below, one } = chance(seed);
  const told: string[] = [];
  const { deps: real, mlflow, trial } = mergeWorld();
  const { id, run, runId, say, deliver, tags } = await trial({ a: "0" });
  let aheadMs = 0;
  let mostMs = 0;
  const ids = [...mlflow.runs.keys()];
  const searchRuns: Deps["mlflow"]["searchRuns"] = async (search) => {
    if (search.filter !== undefined) return real.mlflow.searchRuns(search);
    const items = [];
    for (const one of ids) {
      const found = await real.mlflow.getRun(one);
      if (!found.ok) return found;
      items.push(found.value);
    }
    return { ok: true, value: { items, nextPageToken: null } };
  };
  const queued: RelayMessage[] = [];
  let meanwhile: (() => Promise<void>) | null = null;
  const sound: Deps = { ...real, now: () => Date.now() + aheadMs, mlflow: { ...real.mlflow, searchRuns } };
  const getRun: Deps["mlflow"]["getRun"] = async (asked) => {
    const seen = await real.mlflow.getRun(asked);
    const now = meanwhile;
    meanwhile = null;
    await now?.();
    return seen;
  };
  /** Does something in an isolate of its own, which may die; what it sent is on the queue. */
  const isolate = async <T>(death: Death | null, work: (deps: Deps) => Promise<T>): Promise<T | null> => {
    const { sent, queue } = recordingQueue();
    const { db: dying } = mortal(db, death, async () => {});
    const read = { ...sound.mlflow, getRun };
    try {
      const mine = {
        ...invocation(sound),
        db: dying,
        jobs: queue,
        mlflow: read,
        direct: { ...sound.direct, getRun },
      };
      return await work(mine);
    } catch (error) {
      if (death === null) throw error;
      return null;
    } finally {
      for (const { body } of sent) if (body.kind === "follow" && body.runId === runId) queued.push(body);
      // A dead holder's lease runs out.
      if (death !== null) await db.prepare("update streams set lease_until = 0 where id = ?1").bind(id).run();
    }
  };
  const look = (death: Death | null) =>
    isolate(death, (deps) => pullRunning(deps, { afterId: id - 1, maxRuns: 1, maxMs: 60_000 }));
  /** Also where it has ended on both sides. */
  const lookAtIt = (death: Death | null) =>
    isolate(death, async (deps) => {
      const seenAt = deps.now();
      const seen = await real.mlflow.getRun(runId);
      if (seen.ok) await lookAtRuns(deps, [seen.value], seenAt, {});
    });
  const send = (death: Death | null) => isolate(death, sendDue);
  const follow = (death: Death | null, message: RelayMessage) =>
    isolate(death, (deps) => consume(deps, [messageOf(message, 0)]));
  let job: Job | null = null;
  const work = async (death: Death | null) => {
    const at: Job = job ?? { id: "j", action: "sync_experiment", target: "1", progress: null, counts: {} };
    job = at;
    const came: JobStep | null = await isolate(death, (deps) => syncExperiment(deps, at));
    if (came?.kind === "continue") job = { ...at, progress: came.progress, counts: came.counts };
    else if (came !== null) job = null;
    return came;
  };
  const value = () => String(below(4));
  const edit = () => {
    const key = one(KEYS);
    if (below(3) === 0) run.tags.delete(key);
    else run.tags.set(key, value());
    told.push(`edit ${JSON.stringify([...run.tags].filter(([k]) => k === "a" || k === "b"))}`);
  };
  const death = (): Death | null =>
    below(4) === 0 ? { trip: below(25), moment: one(["before", "after"] as const) } : null;
  const steps: Record<string, () => Promise<unknown>> = {
    edit: async () => edit(),
    again: async () => edit(),
    word: () => {
      const key = one(KEYS);
      return say(below(3) === 0 ? { untags: [key] } : { tags: { [key]: value() } });
    },
    deliver,
    rename: async () => {
      run.name = `name ${value()}`;
    },
    end: async () => {
      run.status = one(["RUNNING", "FINISHED", "KILLED"]);
      run.endTime = run.status === "RUNNING" ? undefined : Date.now();
    },
    gone: async () => {
      run.lifecycle = run.lifecycle === "active" ? "deleted" : "active";
    },
    look: () => look(death()),
    send: () => send(death()),
    follow: async () => {
      const [message] = below(3) === 0 ? queued : queued.splice(0, 1);
      if (message) await follow(death(), message);
    },
    twice: async () => {
      const message: RelayMessage = { kind: "follow", runId };
      await Promise.all([follow(null, message), follow(null, message)]);
    },
    meanwhile: async () => {
      const what = one(["edit", "look", "send", "twice", "word", "rename"] as const);
      const doIt = steps[what];
      meanwhile = async () => {
        told.push(`(meanwhile ${what})`);
        await doIt?.();
      };
    },
    lose: async () => queued.splice(0),
    job: () => work(death()),
    cancel: async () => {
      job = null;
    },
    time: async () => {
      aheadMs = one([aheadMs + 1_000, aheadMs + PASS_MS, Math.max(0, aheadMs - PASS_MS / 2)]);
      mostMs = Math.max(mostMs, aheadMs);
    },
  };
  const names = Object.keys(steps);
  for (let n = 0; n < STEPS; n++) {
    const name = one(names);
    told.push(name);
    await steps[name]?.();
  }
  // Calm: what was deleted is restored, or there is nothing to compare.
  run.lifecycle = "active";
  meanwhile = null;
  aheadMs = mostMs + PASS_MS;
  await db
    .prepare(
      `update streams set blocked_kind = null, blocked_on = null, doubt = null,
         fence_until = iif(fence_until is null, null, 0) where id = ?1`,
    )
    .bind(id)
    .run();
  await deliver();
  if (job !== null)
    for (let n = 0; job !== null; n++) {
      expect(n, `a job is open: ${seed}: ${told.join(", ")}`).toBeLessThan(20);
      await work(null);
      for (const message of queued.splice(0)) await follow(null, message);
    }
  // An edit that nobody but a look sees that may end anywhere, perhaps while an earlier one is merged, and one more look.
  edit();
  await lookAtIt({ trip: below(12), moment: one(["before", "after"] as const) });
  const lastLook = async () => {
    if (below(2) === 0) edit();
    told.push("the last look");
    await new Promise((done) => setTimeout(done, 2));
    await lookAtIt(null);
  };
  meanwhile = below(2) === 0 ? lastLook : null;
  const isMeanwhile = meanwhile !== null;
  await follow(death(), { kind: "follow", runId });
  if (!isMeanwhile || meanwhile !== null) {
    meanwhile = null;
    await lastLook();
  }
  for (let pass = 0; pass < 5; pass++) {
    if (pass < 2)
      mlflow.trouble = (endpoint) => (endpoint === "runs/get" && below(2) === 0 ? "refused" : null);
    aheadMs += PASS_MS;
    await send(null);
    for (const message of queued.splice(0)) await follow(pass < 2 ? death() : null, message);
    mlflow.trouble = () => null;
  }
  await deliver();
  const here = await tags();
  const theirs = Object.fromEntries(run.tags);
  const row = await db
    .prepare(
      `select r.follow_at as followAt, r.unmerged, json_extract(s.sent_state, '$.runName') as name
       from streams s join mlflow_runs r on r.stream_id = s.id where s.id = ?1`,
    )
    .bind(id)
    .first();
  const of = (all: Record<string, unknown>) => KEYS.map((key) => `${key}=${all[key] ?? ""}`).join(" ");
  // The stream is over for other courses' looks.
  await db.prepare("update trials set status = 'succeeded' where id = ?1").bind(id).run();
  await db.prepare("update mlflow_runs set status = 'FINISHED' where stream_id = ?1").bind(id).run();
  return { seed, here: of(here), theirs: of(theirs), row, name: run.name, told: told.join(", ") };
}

it("both sides say the same in the end, whatever came in between", async () => {
  const wrong = [];
  for (let seed = FIRST; seed < FIRST + COURSES; seed++) {
    const came = await course(seed);
    const isRight =
      came.here === came.theirs &&
      came.row?.followAt === null &&
      came.row.unmerged === 0 &&
      came.row.name === came.name;
    if (!isRight) wrong.push(came);
  }
  expect(wrong).toEqual([]);
}, 600_000);
