import { withoutCredentials } from "../../config.ts";
import { errorText } from "../../log.ts";
import type { Deps } from "../../relay/deps.ts";
import { readBreaker } from "../../relay/line/breaker.ts";
import { remembered } from "../../remembered.ts";
import { reach } from "../../store/database/probe.ts";
import { withDeadline } from "../../waiting.ts";
import type { Readiness } from "./contract.ts";

const CHECK_TIMEOUT_MS = 3_000;
/** So that asking often does not mean asking MLflow often. */
const MLFLOW_CACHE_MS = 5_000;

/** What the relay depends on, each with its state; unavailable when no event can be kept. */
export async function readinessOf(relay: Deps): Promise<Readiness> {
  const [database, queue, mlflow] = await Promise.all([
    checkDatabase(relay),
    checkQueue(relay),
    checkMlflow(relay),
  ]);
  const keeps = database.state === "ok" || queue.state === "ok";
  const allWell = [database, queue, mlflow].every((check) => check.state !== "down");
  const status = !keeps ? "unavailable" : allWell ? "ready" : "degraded";
  return { status, database, queue, mlflow };
}

/** How everything fares, without what it is called and what it says: neither is a stranger's business. */
export function forStrangers({ status, database, queue, mlflow }: Readiness): Readiness {
  const { state, breaker, alarm } = mlflow;
  return {
    status,
    database: { state: database.state },
    queue: { state: queue.state, backlog: queue.backlog },
    mlflow: { state, breaker, alarm },
  };
}

async function checkDatabase({ db }: Deps): Promise<Readiness["database"]> {
  try {
    await withDeadline(CHECK_TIMEOUT_MS, reach(db));
    return { state: "ok", last_error: null };
  } catch (error) {
    return { state: "down", last_error: errorText(error) };
  }
}

async function checkQueue({ trials }: Deps): Promise<Readiness["queue"]> {
  try {
    const { backlogCount } = await withDeadline(CHECK_TIMEOUT_MS, trials.metrics());
    return { state: "ok", last_error: null, backlog: backlogCount };
  } catch (error) {
    return { state: "down", last_error: errorText(error), backlog: null };
  }
}

const looked = remembered<{ at: number; state: "ok" | "down"; error: string | null } | null>(() => null);

/** MLflow's state as a cheap call finds it, and what the breaker last saw. */
async function checkMlflow(relay: Deps): Promise<Readiness["mlflow"]> {
  const { config, now } = relay;
  const breaker = await withDeadline(CHECK_TIMEOUT_MS, readBreaker(relay)).catch(() => null);
  let lastLook = looked.value;
  if (config.enabled && (lastLook === null || now() - lastLook.at > MLFLOW_CACHE_MS)) {
    const look = await withDeadline(
      CHECK_TIMEOUT_MS,
      relay.mlflow.searchExperiments({ maxResults: 1 }),
    ).catch((error) => ({
      ok: false as const,
      failure: { message: errorText(error) },
    }));
    lastLook = looked.value = {
      at: now(),
      state: look.ok ? "ok" : "down",
      error: look.ok ? null : look.failure.message,
    };
  }
  return {
    state: config.enabled ? (lastLook?.state ?? "down") : "off",
    last_error: lastLook?.error ?? breaker?.lastError ?? null,
    tracking_uri: withoutCredentials(config.mlflow.trackingUri),
    breaker: breaker?.state ?? "closed",
    alarm: breaker?.alarm ?? false,
  };
}
