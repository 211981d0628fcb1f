import { existsSync, readFileSync, statfsSync } from "node:fs";
import { resolve } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { transformSync } from "esbuild";
import { defineConfig } from "vitest/config";
import { buildDashboard } from "./scripts/lib/dashboard-build.ts";
import { readWranglerConfig } from "./scripts/lib/wrangler-config.ts";
import { LongestFirst } from "./test/longest-first.ts";
import { CountReporter } from "./test/reporter.ts";

/**
 * Tests play the queues' consumers themselves. The real ones, of which no test would know what they do and when, and which
 * could be at it still when the next file begins, wait for as many messages as may be, as long as may be.
 */
const IDLE = { maxBatchSize: 100, maxBatchTimeout: 60 };
/** Strangers are counted by the runtime, all files together. */
const UNCOUNTED = { namespace_id: "1", simple: { limit: 1_000_000, period: 60 } } as const;

/** What answers in the place of D1. */
const DATABASE = { className: "TestDatabase", useSQLite: true };
const DATABASE_SOURCE = "test/platform/database.ts";

async function workerUnderTest() {
  // Its folder must be there; what is in it is looked at in a browser only.
  await buildDashboard();
  const { queues, compatibility_date: compatibilityDate } = readWranglerConfig();
  return {
    wrangler: { configPath: "wrangler.toml" },
    miniflare: {
      bindings: {
        ADMIN_TOKEN: "test-admin-token",
        MLFLOW_TRACKING_URI: "http://mlflow.test",
        TEST_MIGRATIONS: await readD1Migrations("migrations"),
      },
      queueConsumers: Object.fromEntries(queues.consumers.map(({ queue }) => [queue, IDLE])),
      ratelimits: { STRANGER_LIMIT: UNCOUNTED },
      durableObjects: { TEST_DATABASE: { ...DATABASE, scriptName: "test-database" } },
      workers: [
        {
          name: "test-database",
          compatibilityDate,
          modules: [
            {
              type: "ESModule" as const,
              path: "database.js",
              contents: transformSync(readFileSync(DATABASE_SOURCE, "utf8"), { loader: "ts" }).code,
            },
          ],
          durableObjects: { TEST_DATABASE: DATABASE },
        },
      ],
    },
  };
}

/** A machine with two cores has both at work. */
const TWO = 2;
/** Between a worker test's file and the next something is waited for: one more keeps both at work. */
const THREE = 3;
/** End to end most of the time something is waited for, a lease or a pause say: so many keep both at work. */
const SIX = 6;

/** For what hangs; a busy machine is no failure. */
const HANGS_MS = 600_000;

/**
 * No test cuts the power, and a disk takes milliseconds for each commit: what the servers under test write stays in
 * memory, where the system has a place for it with room.
 */
const IN_MEMORY = "/dev/shm";
const ROOM_BYTES = 4e9;
if (hasRoom(IN_MEMORY)) process.env.TMPDIR ??= IN_MEMORY;

/** What node compiles of wrangler is kept: it is started dozens of times. */
process.env.NODE_COMPILE_CACHE ??= resolve("node_modules/.cache/compiled");

function hasRoom(dir: string): boolean {
  if (!existsSync(dir)) return false;
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize >= ROOM_BYTES;
}

export default defineConfig({
  test: {
    reporters: ["default", new CountReporter()],
    // The relay logs whatever goes wrong, which most tests have it do: 60,000 lines, among which one that tells is lost.
    silent: "passed-only",
    sequence: { sequencer: LongestFirst },
    // One after the other, the quick ones first, so that what fails shows early.
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: ["test/unit/**/*.test.ts"],
          // Properties play hundreds of cases, and a busy machine is no failure.
          testTimeout: 30_000,
          // What is pure leaves nothing behind that another file could meet.
          isolate: false,
          maxWorkers: TWO,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [cloudflareTest(workerUnderTest)],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          setupFiles: ["test/worker/setup.ts"],
          // That nothing of one file is met by another is the setup's.
          isolate: false,
          testTimeout: HANGS_MS,
          maxWorkers: THREE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          environment: "node",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/servers.ts"],
          // What a file starts and writes is its own, and nothing else in a process matters to another.
          isolate: false,
          maxWorkers: SIX,
          sequence: { groupOrder: 2 },
          testTimeout: HANGS_MS,
          // The first of them waits until MLflow is installed.
          hookTimeout: HANGS_MS,
        },
      },
      {
        test: {
          name: "browser",
          environment: "node",
          include: ["test/browser/**/*.test.ts"],
          globalSetup: ["test/e2e/servers.ts"],
          isolate: false,
          maxWorkers: TWO,
          sequence: { groupOrder: 3 },
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS,
        },
      },
    ],
  },
});
