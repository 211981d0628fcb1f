import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { seeded } from "../../scripts/demo/random.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { followRun } from "../../src/relay/follow/follow.ts";
import { pullStream } from "../../src/relay/follow/pull.ts";
import { pullRunning } from "../../src/relay/follow/running.ts";
import { post } from "./api.ts";
import { invocation } from "./endless.ts";
import { syncExperiment, syncJob, thunderlineTags } from "./following.ts";
import { mortal } from "./mortal.ts";
import { TrackingServer } from "./tracking-server.ts";

const { DB: db } = env;
const GAMES = 64;
const MOVES = 14;

/**
 * A tag of a run is edited in MLflow while the relay looks, follows and merges, some of which lie within another's call, and
 * some of which die at a round trip. Whatever happens, both sides are the same in the end, and nothing stays marked.
 */
it("ends as MLflow has it, in any order of edits, looks, messages and deaths", async () => {
  const server = new TrackingServer();
  server.experiment("any", "any");
  let clock = Date.now();
  const deps: Deps = { ...server.deps(), now: () => ++clock };
  const wrong: string[] = [];
  for (let game = 0; game < GAMES; game++) {
    const random = seeded(game + 1);
    const pick = (n: number) => Math.floor(random() * n);
    const id = `any-${game}`;
    await post({ event: "ml.trial.start", model_run_id: "any", trial_id: id, spectral_norm: true });
    const tags = thunderlineTags(id, "any");
    const run = server.run("any", { tags });
    const runId = run.info.run_id;
    const stream = async () =>
      (await db.prepare("select id from streams where trial_id = ?1").bind(id).first<number>("id")) ?? 0;
    const said: string[] = [];
    const edit = () => {
      const value = pick(3);
      run.data.tags = value === 0 ? tags : [...tags, { key: "note", value: String(value) }];
      said.push(`edit ${value}`);
    };
    const move = async (own: Deps, depth: number): Promise<void> => {
      const inner: Deps["mlflow"]["getRun"] = async (asked) => {
        const seen = structuredClone(await deps.direct.getRun(asked));
        while (depth < 2 && random() < 0.4) await move(deps, depth + 1);
        return seen;
      };
      const during = { ...own, direct: { ...own.direct, getRun: inner } };
      const kind = pick(8);
      if (kind < 3) return edit();
      if (kind < 5) {
        said.push(`${depth}look`);
        await pullRunning(during, { afterId: (await stream()) - 1, maxRuns: 1, maxMs: 60_000 });
      } else if (kind < 7) {
        said.push(`${depth}message`);
        await followRun(invocation(during), runId);
      } else {
        said.push(`${depth}pull`);
        await pullStream(invocation(during), await stream(), null);
      }
      said.push(`${depth}.`);
    };
    let progress: string | null = null;
    for (let i = 0; i < 9; i++) {
      const step = await syncExperiment(deps, syncJob("any", progress));
      if (step.kind !== "continue") break;
      progress = step.progress;
    }
    for (let i = 0; i < MOVES; i++) {
      const dies = random() < 0.3;
      const death = dies
        ? { trip: pick(25), moment: random() < 0.5 ? ("after" as const) : ("before" as const) }
        : null;
      const own = { ...deps, db: mortal(db, death, async () => {}).db };
      if (dies) said.push("dying:");
      await move(own, 0).catch(() => said.push("died"));
      if (random() < 0.2) {
        clock += 300_000;
        // The lease of one that died is over by then.
        await db.prepare("update streams set lease_until = 0 where trial_id = ?1").bind(id).run();
      }
    }
    said.push("end");
    await db.prepare("update streams set lease_until = 0 where trial_id = ?1").bind(id).run();
    for (let i = 0; i < 3; i++) {
      clock += 300_000;
      await pullRunning(deps, { afterId: (await stream()) - 1, maxRuns: 1, maxMs: 60_000 });
      await followRun(invocation(deps), runId);
      await drive(invocation(deps), await stream());
    }
    const note = await db
      .prepare(
        "select value from tags t join streams s on s.id = t.stream_id where s.trial_id = ?1 and t.key = 'note' and removed_at is null",
      )
      .bind(id)
      .first<string>("value");
    const theirs = run.data.tags?.find(({ key }) => key === "note")?.value ?? null;
    const mark = await db
      .prepare("select follow_at from mlflow_runs where mlflow_run_id = ?1")
      .bind(runId)
      .first<number>("follow_at");
    if (note !== theirs || mark !== null)
      wrong.push(`${game}: ${note} not ${theirs}, ${mark}: ${said.join(" ")}`);
  }
  expect(wrong).toEqual([]);
});
