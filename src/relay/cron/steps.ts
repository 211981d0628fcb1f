import type { PassReport } from "../../answers/ops.ts";
import { pruneJobs } from "../../store/jobs/records.ts";
import { followedIn } from "../../store/mirror/marks.ts";
import { lastPass } from "../../store/ops/passes.ts";
import { takeUpPutOff } from "../../store/ops/put-off.ts";
import { forgetRefusals } from "../../store/ops/refusals.ts";
import { cool } from "../../store/stream/warm.ts";
import { cleanBucket } from "../artifacts/clean.ts";
import type { Deps } from "../deps.ts";
import { deleteDoubles } from "../follow/doubles.ts";
import { sendDue } from "../follow/follow.ts";
import { pruneHistory } from "../follow/history.ts";
import { pullRunning } from "../follow/running.ts";
import { pokeDueJobs } from "../jobs/jobs.ts";
import { probe, readBreaker } from "../line/breaker.ts";
import { confirmDelivered } from "../stream/confirm.ts";
import { leaseMs } from "../stream/held-stream.ts";
import { pokeBehind, wake } from "../stream/wake.ts";
import { pruneModelPoints } from "./model-points.ts";
import { closeOrphans, findQuiet } from "./quiet.ts";
import { forgetOld, retire } from "./retention.ts";
import { summarizeModelRuns } from "./summaries.ts";
import { pullWatched } from "./watched.ts";

const MAX_PRUNED_JOBS = 1_000;
/** What one pass looks at in MLflow; the next one goes on where it stopped. */
const MAX_PULLED_RUNS = 5_000;
const MAX_PULL_MS = 60_000;

/** A part of the cron's pass. */
export type CronStep = {
  name: string;
  /** What it has for certain; it may also have what those before it left. */
  statements: number;
  when: (deps: Deps, report: PassReport) => boolean;
  /**
   * @param report what the steps before it told
   * @param startedAt when the pass began, epoch milliseconds
   * @returns what goes into the report
   */
  run: (deps: Deps, report: PassReport, startedAt: number) => Promise<Partial<PassReport>>;
};

const always = () => true;
const enabled = ({ config }: Deps) => config.enabled;
const whileUp = ({ config }: Deps, { probe }: PassReport) => config.enabled && probe !== "open";

/** What a pass does, in this order. */
export const CRON_STEPS: readonly CronStep[] = [
  {
    // First of all: a pass that fails, or must not pull, is to leave the place where it was.
    name: "place",
    statements: 5,
    when: always,
    run: async ({ db }) => ({ next_pull_id: (await lastPass(db)).nextPullId }),
  },
  {
    name: "put off",
    statements: 10,
    when: always,
    run: async ({ db, config }) => {
      await takeUpPutOff(db, leaseMs(config.mlflow.timeoutMs));
      return {};
    },
  },
  {
    name: "probe",
    statements: 40,
    when: enabled,
    run: async (deps) => {
      const probed = await probe(deps);
      // Not only when it closes just now: the pokes of an earlier wake may be lost, or not have been enough.
      if ((await readBreaker(deps))?.state !== "open") await wake(deps);
      return { probe: probed };
    },
  },
  {
    name: "poke",
    statements: 20,
    when: always,
    run: async (deps) => ({ poked_trials: await pokeBehind(deps) }),
  },
  {
    name: "doubles",
    statements: 120,
    when: whileUp,
    run: async (deps) => {
      const { checked, deleted } = await deleteDoubles(deps);
      return { settled_creates: checked, deleted_doubles: deleted };
    },
  },
  {
    name: "confirm",
    statements: 120,
    when: whileUp,
    run: async (deps) => {
      const { confirmed, sentAgain } = await confirmDelivered(deps);
      return { confirmed_trials: confirmed, resent_trials: sentAgain };
    },
  },
  {
    name: "orphans",
    statements: 30,
    when: always,
    run: async (deps) => ({ orphaned_trials: await closeOrphans(deps) }),
  },
  {
    name: "silence",
    statements: 30,
    when: always,
    run: async (deps) => ({ quiet_trials: await findQuiet(deps) }),
  },
  {
    name: "prune",
    statements: 120,
    when: whileUp,
    run: async (deps) => {
      const { trials, rows } = await retire(deps);
      return { retired_trials: trials, pruned_rows: rows + (await pruneModelPoints(deps)) };
    },
  },
  {
    name: "forget",
    statements: 30,
    when: always,
    run: async (deps) => ({
      forgotten_rows: (await forgetRefusals(deps.db, deps.now())) + (await forgetOld(deps)),
    }),
  },
  {
    name: "bucket",
    statements: 10,
    when: always,
    run: async (deps) => ({ deleted_objects: await cleanBucket(deps) }),
  },
  {
    name: "jobs",
    statements: 20,
    when: always,
    run: async (deps) => {
      const poked_jobs = await pokeDueJobs(deps);
      await pruneJobs(deps.db, deps.now(), MAX_PRUNED_JOBS);
      return { poked_jobs };
    },
  },
  {
    name: "summaries",
    statements: 20,
    when: always,
    run: async (deps) => ({ summarized_model_runs: await summarizeModelRuns(deps) }),
  },
  {
    name: "histories",
    statements: 20,
    when: always,
    run: async (deps) => ({ pruned_history_pages: await pruneHistory(deps) }),
  },
  {
    name: "cool",
    statements: 5,
    when: always,
    run: async ({ db, now }) => {
      await cool(db, now());
      return {};
    },
  },
  {
    name: "watch",
    statements: 60,
    when: whileUp,
    run: async (deps) => ({ watched_experiments: await pullWatched(deps) }),
  },
  {
    name: "follow",
    statements: 220,
    when: whileUp,
    run: async (deps, { next_pull_id: afterId }) => {
      const pulled = await pullRunning(deps, { afterId, maxRuns: MAX_PULLED_RUNS, maxMs: MAX_PULL_MS });
      return {
        pulled_runs: pulled.looked_at,
        changed_runs: pulled.changed,
        unblocked_trials: pulled.unblocked,
        next_pull_id: pulled.next_id,
      };
    },
  },
  {
    name: "merge",
    statements: 10,
    when: whileUp,
    run: async (deps, _, startedAt) => {
      await sendDue(deps);
      // It is the messages' work: what came of those since the last pass.
      const time = { from: (await lastPass(deps.db)).startedAt, until: startedAt };
      const { merged = 0, conflicts = 0 } = await followedIn(deps.db, time, null);
      return { merged_runs: merged, merge_conflicts: conflicts };
    },
  },
];
