import { Hono } from "hono";
import { withoutCredentials } from "../config.ts";
import { HttpFailure } from "../errors.ts";
import { type Found, probeNow, readBreaker } from "../relay/breaker.ts";
import type { Deps } from "../relay/deps.ts";
import { wake } from "../relay/wake.ts";
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
    return c.json(await breakerView(c.var.relay));
  })
  .post("/breaker/probe", async (c) => {
    readQuery(c, {});
    const { relay } = c.var;
    if (!relay.config.enabled)
      throw new HttpFailure({
        kind: "conflict",
        detail: "Calls to MLflow are switched off (MLFLOW_ENABLED).",
      });
    const found = await probeNow(relay);
    if (found.closed) await wake(relay);
    return c.json({ ...(await breakerView(relay)), ...foundView(found) });
  });

/** Without a row nothing ever went wrong, and the breaker is closed. */
async function breakerView(relay: Deps) {
  const breaker = await readBreaker(relay);
  const isOpen = breaker?.state === "open";
  return {
    server: withoutCredentials(relay.config.mlflow.trackingUri),
    state: breaker?.state ?? "closed",
    failures: breaker?.failures ?? 0,
    alarm: breaker?.alarm ?? false,
    opened_at: iso(breaker?.openedAt ?? null),
    next_probe_at: isOpen ? iso(breaker.probeAt) : null,
    last_error: breaker?.lastError ?? null,
  };
}

function foundView(found: Found) {
  if (found.ok) return { reads: "ok", writes: found.writes, error: null };
  const { failed, failure } = found;
  return failed === "reading"
    ? { reads: "failed", writes: "not tried", error: failure.message }
    : { reads: "ok", writes: "failed", error: failure.message };
}
