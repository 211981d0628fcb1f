import type { D1Migration } from "cloudflare:test";
import type { TestDatabase } from "../platform/database.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      /** The migrations as the test runner read them; only in tests. */
      TEST_MIGRATIONS: D1Migration[];
      /** What answers in the place of D1; only in tests. */
      TEST_DATABASE: DurableObjectNamespace<TestDatabase>;
    }
  }
}
