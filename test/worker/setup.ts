import { env } from "cloudflare:workers";
import { vi } from "vitest";

/**
 * Files run one after the other in one runtime, for its start costs more than most of them; each finds it as if it were
 * new: no module is evaluated, nothing is stubbed, the clock is the real one, and there is nothing but an empty database.
 */
vi.useRealTimers();
vi.unstubAllGlobals();
vi.resetModules();
// Only now, since it brings the Worker's own modules.
const { applyD1Migrations, reset } = await import("cloudflare:test");

// What is asleep would not be deleted.
await Promise.all([env.DB.prepare("select 1").run(), env.ARTIFACTS.list({ limit: 1 })]);
await reset();

const queries = env.TEST_MIGRATIONS.flatMap((migration) => migration.queries);
await applyD1Migrations(env.DB, [{ name: "all of them, in one transaction", queries }]);
