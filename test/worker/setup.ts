import { applyD1Migrations, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";

// Files share an isolate, whose start takes seconds; each finds it as new: nothing is stubbed, no module
// remembers, nothing is stored.
vi.unstubAllGlobals();
vi.restoreAllMocks();
vi.resetModules();
await reset();
const queries = env.TEST_MIGRATIONS.flatMap((migration) => migration.queries);
await applyD1Migrations(env.DB, [{ name: "all of them, in one transaction", queries }]);
