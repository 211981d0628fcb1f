import { Hono } from "hono";
import { withoutCredentials } from "../config.ts";
import { errorText } from "../log.ts";
import { readBreaker } from "../relay/breaker.ts";
import type { Deps } from "../relay/deps.ts";
import { within } from "../relay/within.ts";
import { authorize } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { countStranger } from "./strangers.ts";

const CHECK_TIMEOUT_MS = 3_000;
/** So that asking often does not mean asking MLflow often. */
const MLFLOW_CACHE_MS = 5_000;

type Check = { state: "ok" | "down" | "off"; last_error: string | null };

/** `/health`: the Worker runs. `/ready`: what it depends on, each with its state; 503 when no event can be kept. */
export const health = new Hono<AppEnv>()
  .get("/health", (c) => c.json({ status: "ok" }))
  .get("/ready", async (c) => {
    const { relay } = c.var;
    const isKnown = c.req.header("authorization") !== undefined && (await authorize(c, "read")) !== null;
    if (!isKnown) await countStranger(c);
    const [database, queue, mlflow] = await Promise.all([
      checkDatabase(relay),
      checkQueue(relay),
      checkMlflow(relay),
    ]);
    const keeps = database.state === "ok" || queue.state === "ok";
    const allWell = [database, queue, mlflow].every((check) => check.state !== "down");
    const status = !keeps ? "unavailable" : allWell ? "ready" : "degraded";
    const all = { status, database, queue, mlflow };
    return c.json(isKnown ? all : forStrangers(all), keeps ? 200 : 503);
  });

type Readiness = {
  status: string;
  database: Check;
  queue: Check & { backlog: number | null };
  mlflow: Awaited<ReturnType<typeof checkMlflow>>;
};

/** How everything fares, without what it is called and what it says: neither is a stranger's business. */
function forStrangers({ status, database, queue, mlflow }: Readiness) {
  const { state, breaker, alarm } = mlflow;
  return {
    status,
    database: { state: database.state },
    queue: { state: queue.state, backlog: queue.backlog },
    mlflow: { state, breaker, alarm },
  };
}

async function checkDatabase({ db }: Deps): Promise<Check> {
  try {
    await within(CHECK_TIMEOUT_MS, db.prepare("select 1 from streams limit 1").all());
    return { state: "ok", last_error: null };
  } catch (error) {
    return { state: "down", last_error: errorText(error) };
  }
}

async function checkQueue({ trials }: Deps): Promise<Check & { backlog: number | null }> {
  try {
    const { backlogCount } = await within(CHECK_TIMEOUT_MS, trials.metrics());
    return { state: "ok", last_error: null, backlog: backlogCount };
  } catch (error) {
    return { state: "down", last_error: errorText(error), backlog: null };
  }
}

let lastLook: { at: number; state: Check["state"]; error: string | null } | null = null;

/** MLflow's state as a cheap call finds it, and what the breaker last saw. */
async function checkMlflow(relay: Deps) {
  const { config, now } = relay;
  const breaker = await within(CHECK_TIMEOUT_MS, readBreaker(relay)).catch(() => null);
  if (config.enabled && (lastLook === null || now() - lastLook.at > MLFLOW_CACHE_MS)) {
    const look = await within(CHECK_TIMEOUT_MS, relay.mlflow.searchExperiments({ maxResults: 1 })).catch(
      (error) => ({
        ok: false as const,
        failure: { message: errorText(error) },
      }),
    );
    lastLook = { at: now(), state: look.ok ? "ok" : "down", error: look.ok ? null : look.failure.message };
  }
  return {
    state: config.enabled ? (lastLook?.state ?? "down") : "off",
    last_error: lastLook?.error ?? breaker?.lastError ?? null,
    tracking_uri: withoutCredentials(config.mlflow.trackingUri),
    breaker: breaker?.state ?? "closed",
    alarm: breaker?.alarm ?? false,
  } satisfies Check & Record<string, unknown>;
}
