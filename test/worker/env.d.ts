import type { D1Migration } from "cloudflare:test";

declare global {
  namespace Cloudflare {
    interface Env {
      /** The migrations as the test runner read them; only in tests. */
      TEST_MIGRATIONS: D1Migration[];
    }
  }
}
