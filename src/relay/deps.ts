import type { Config } from "../config.ts";
import { errorText, type Log } from "../log.ts";
import type { MlflowClient, MlflowReads, MlflowWrites } from "../mlflow/client.ts";
import type { Failure } from "../mlflow/failure.ts";
import type { Budget } from "../store/database/budget.ts";
import { counted } from "../store/database/counted.ts";
import type { Breaker } from "../store/ops/breakers.ts";
import type { Tally } from "../store/ops/counters.ts";
import type { Queues } from "./queues.ts";

/** What stands before every call to MLflow. */
export type Guard = {
  /** The breaker as it is now. */
  breaker(): Promise<Breaker | null>;
  /** Takes note of the breaker as it was just read with something else. */
  saw(breaker: Breaker | null): void;
  /** Why nothing may be sent now, or null. */
  held(): Promise<Failure | null>;
  /** The same for a call, which waits for its place in the row if it may be sent. */
  admit(): Promise<Failure | null>;
  /** Waits for a call's place in the row. */
  pace(): Promise<void>;
};

/** Everything with an effect that the stages use, passed in so that tests can put another in its place. */
export type Deps = Queues & {
  /** Every statement is drawn from the budget. */
  db: D1Database;
  /** What the invocation, or this share of it, may still ask of the database. */
  budget: Budget;
  /** Where the bytes of artifacts are kept; null where no bucket is bound. */
  bucket: R2Bucket | null;
  /** Every call goes through the guard: it is paced, and not sent while the breaker is open. */
  mlflow: MlflowReads;
  /** What changes something: a turn writes by `Turn.write` only, which keeps late landings apart. */
  writes: MlflowWrites;
  /** The same without the guard, for the breaker's probe, and for turns, which ask it before they renew their lease. */
  direct: MlflowClient;
  guard: Guard;
  config: Config;
  /** Epoch milliseconds. */
  now: () => number;
  /** From 0 to below 1. */
  random: () => number;
  log: Log;
  /** Counts for /metrics, written down when the invocation ends. */
  tally: Tally;
};

/** The same effects for work that is to have a share of the budget for itself. */
export function onShare(deps: Deps, budget: Budget): Deps {
  return { ...deps, budget, db: counted(deps.db, budget, deps.random) };
}

/** Writes the counts down; when the database refuses they wait, since nothing else should fail for them. */
export async function flushTally(deps: Pick<Deps, "db" | "tally" | "log">): Promise<void> {
  try {
    await deps.tally.flush(deps.db);
  } catch (error) {
    deps.log.warn("counts wait for the next time", { error: errorText(error) });
  }
}
