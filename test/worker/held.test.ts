import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { JobStep } from "../../src/relay/jobs/step.ts";
import { unblock } from "../../src/relay/repair/unblock.ts";
import { claimJob, createJob, renewJob } from "../../src/store/jobs/jobs.ts";
import { lock, renewLock, unlock } from "../../src/store/ops/locks.ts";
import { whileRenewed } from "../../src/waiting.ts";
import { foldAll, post } from "./api.ts";
import { pullRunning, syncExperiment } from "./following.ts";
import { TrackingServer } from "./tracking-server.ts";

const { DB: db } = env;
const LEASE_MS = 1_500;
const later = (ms: number) => new Promise((done) => setTimeout(done, ms));

describe("what one invocation holds", () => {
  it("is kept while a job's work takes longer than its lease, and is free soon after", async () => {
    const asked = { action: "sync_experiment" as const, target: "kept", origin: "cron" as const };
    const { id } = await createJob(db, asked, Date.now());
    const claimed = await claimJob(db, id, LEASE_MS);
    if (claimed.kind !== "claimed") throw new Error(claimed.kind);
    const meanwhile = await whileRenewed(
      LEASE_MS / 5,
      () => renewJob(db, claimed.lease, LEASE_MS),
      async () => {
        await later(3 * LEASE_MS);
        return claimJob(db, id, LEASE_MS);
      },
    );
    expect(meanwhile.kind).toBe("busy");
    await later(2 * LEASE_MS);
    expect((await claimJob(db, id, LEASE_MS)).kind).toBe("claimed");
  });

  it("is a lock that is kept, and is gone when its holder gives it back", async () => {
    const token = await lock(db, "kept", LEASE_MS);
    if (token === null) throw new Error("the lock is taken");
    const meanwhile = await whileRenewed(
      LEASE_MS / 5,
      () => renewLock(db, "kept", token, LEASE_MS),
      async () => {
        await later(3 * LEASE_MS);
        return lock(db, "kept", LEASE_MS);
      },
    );
    expect(meanwhile).toBeNull();
    await unlock(db, "kept", token);
    expect(await lock(db, "kept", LEASE_MS)).not.toBeNull();
  });

  it("is given back when an operator's action fails in the relay itself", async () => {
    await post({ event: "ml.trial.start", model_run_id: "s", trial_id: "stuck", spectral_norm: true });
    await foldAll();
    const where = "trial_id = 'stuck'";
    await db
      .prepare(`update streams set blocked_kind = 'gone_run', mlflow_run_id = 'lost' where ${where}`)
      .run();
    const id = (await db.prepare(`select id from streams where ${where}`).first<number>("id")) ?? 0;
    const deps = new TrackingServer().deps();
    const broken = {
      ...deps,
      direct: {
        ...deps.direct,
        getRun: () => {
          throw new Error("out of memory");
        },
      },
    };
    await expect(unblock(broken, id, "restore", false)).rejects.toThrow("out of memory");
    const lease = await db.prepare(`select lease_token from streams where ${where}`).first("lease_token");
    expect(lease).toBeNull();
  });
});

describe("a run that a search does not show", () => {
  const budget = { afterId: 0, maxRuns: 1_000, maxMs: 60_000 };

  /** An experiment with three linked runs, all seen once. */
  async function followed(target: string) {
    const server = new TrackingServer();
    server.experiment(target, target);
    const runs: ReturnType<TrackingServer["run"]>[] = [];
    for (const n of [1, 2, 3]) {
      const trial_id = `${target}-${n}`;
      await post({ event: "ml.trial.start", model_run_id: "study", trial_id, spectral_norm: true });
      const tags = { thunderline_trial_id: trial_id, thunderline_model_run_id: "study" };
      runs.push(server.run(target, { tags: Object.entries(tags).map(([key, value]) => ({ key, value })) }));
    }
    const deps = server.deps();
    const sync = async () => {
      const job = { id: "j", action: "sync_experiment" as const, target };
      let step: JobStep = { kind: "continue", progress: "", counts: {}, delayMs: 0 };
      for (let progress: string | null = null; step.kind === "continue"; ) {
        step = await syncExperiment(deps, { ...job, progress, counts: step.counts });
        if (step.kind === "continue") progress = step.progress;
      }
    };
    const gone = async () => {
      const ids = JSON.stringify(runs.map(({ info }) => info.run_id));
      const query = `select mlflow_run_id as id from mlflow_runs where gone_at is not null
        and mlflow_run_id in (select value from json_each(?1)) order by id`;
      return (await db.prepare(query).bind(ids).all<{ id: string }>()).results.map(({ id }) => id);
    };
    await sync();
    const linked = "select count(*) as n from streams where trial_id like ?1 and mlflow_run_id is not null";
    expect(await db.prepare(linked).bind(`${target}-%`).first("n")).toBe(3);
    return { server, deps, runs, sync, gone };
  }

  it("is not gone because its page is short and another follows", async () => {
    const { server, deps, runs, gone } = await followed("short");
    server.pageRuns = 1;
    await pullRunning(deps, budget);
    expect(await gone()).toEqual([]);
    const [lost] = runs;
    server.runs.delete(lost?.info.run_id ?? "");
    await pullRunning(deps, budget);
    expect(await gone()).toEqual([lost?.info.run_id]);
  });

  it("is not gone because something between answers with nothing", async () => {
    const { server, deps, sync, gone } = await followed("empty");
    server.showsNothing = true;
    await pullRunning(deps, budget);
    await sync();
    expect(await gone()).toEqual([]);
  });
});
