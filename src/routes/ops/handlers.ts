import { withoutCredentials } from "../../config.ts";
import { HttpFailure } from "../../errors.ts";
import type { Deps } from "../../relay/deps.ts";
import { type Found, probeNow, readBreaker } from "../../relay/line/breaker.ts";
import { tryWake } from "../../relay/stream/wake.ts";
import { iso } from "../../store/listing/common.ts";
import { listPasses } from "../../store/ops/passes.ts";
import { listRefusals } from "../../store/ops/refusals.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { flushTraces } from "../door/note-refusal.ts";
import { routes } from "../route.ts";
import { type BreakerView, type LookedView, ops } from "./contract.ts";

export const opsRoutes = routes(ops, {
  listCronPasses: async ({ relay, query: { limit } }) => ({ cron_passes: await listPasses(relay.db, limit) }),
  listRefusals: async ({ c, relay, query: { limit, cursor, ...filter } }) => {
    await flushTraces(relay);
    const page = toPage(c, await listRefusals(relay.db, filter, readCursor(c, cursor), limit), limit);
    return { refusals: page.rows, next_cursor: page.next_cursor };
  },
  getBreaker: async ({ relay }) => breakerView(relay),
  probeBreaker: async ({ relay }) => {
    if (!relay.config.enabled)
      throw new HttpFailure({
        kind: "conflict",
        detail: "Calls to MLflow are switched off (MLFLOW_ENABLED).",
      });
    const found = await probeNow(relay);
    if (found.closed) await tryWake(relay);
    return { ...(await breakerView(relay)), ...lookedView(found) };
  },
});

/** Without a row nothing ever went wrong, and the breaker is closed. */
async function breakerView(relay: Deps): Promise<BreakerView> {
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

function lookedView(found: Found): LookedView {
  if (found.ok) return { reads: "ok", writes: found.writes, error: null };
  const { failed, failure } = found;
  return failed === "reading"
    ? { reads: "failed", writes: "not tried", error: failure.message }
    : { reads: "ok", writes: "failed", error: failure.message };
}
