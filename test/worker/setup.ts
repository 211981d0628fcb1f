import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";

const queries = env.TEST_MIGRATIONS.flatMap((migration) => migration.queries);
await applyD1Migrations(env.DB, [{ name: "all of them, in one transaction", queries }]);
