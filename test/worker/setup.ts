import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { forgetAll } from "../../src/remembered.ts";
import { useTestDatabase } from "./database.ts";

/**
 * Files run one after the other in one runtime, for its start costs more than most of them; each finds it as if it were
 * new: nothing is remembered, nothing is stubbed, the clock is the real one, and there is nothing but an empty database.
 * Its modules stay evaluated, which takes a second.
 */
vi.useRealTimers();
vi.unstubAllGlobals();
forgetAll();
useTestDatabase();

// What is asleep would not be deleted. A database that has just begun was seen to answer its first question with an
// internal error of the runtime.
const awake = { timeout: 30_000 };
await Promise.all([
  vi.waitFor(() => env.DB.prepare("select 1").run(), awake),
  env.ARTIFACTS.list({ limit: 1 }),
]);
await reset();

const queries = env.TEST_MIGRATIONS.flatMap((migration) => migration.queries);
await applyD1Migrations(env.DB, [{ name: "all of them, in one transaction", queries }]);
