import { Hono } from "hono";
import { withoutCredentials } from "../config.ts";
import { type Breaker, readBreaker } from "../relay/breaker.ts";
import { listPasses } from "../store/passes.ts";
import { iso } from "../store/read-common.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { paging, readQuery } from "./query.ts";

/** `/api/ops`: what went wrong, and how the relay itself fares. */
export const ops = new Hono<AppEnv>()
  .use(requireScope("admin"))
  .get("/cron-passes", async (c) => {
    const { limit } = readQuery(c, { limit: paging.limit });
    return c.json({ cron_passes: await listPasses(c.var.relay.db, limit) });
  })
  .get("/breaker", async (c) => {
    readQuery(c, {});
    const { relay } = c.var;
    const server = withoutCredentials(relay.config.mlflow.trackingUri);
    return c.json({ server, ...breakerView(await readBreaker(relay)) });
  });

/** Without a row nothing ever went wrong, and the breaker is closed. */
function breakerView(breaker: Breaker | null) {
  const isOpen = breaker?.state === "open";
  return {
    state: breaker?.state ?? "closed",
    failures: breaker?.failures ?? 0,
    alarm: breaker?.alarm ?? false,
    opened_at: iso(breaker?.openedAt ?? null),
    next_probe_at: isOpen ? iso(breaker.probeAt) : null,
    last_error: breaker?.lastError ?? null,
  };
}
