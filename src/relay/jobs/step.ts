import type { Counts } from "../../domain/counts.ts";
import type { JobAction } from "../../domain/words.ts";
import type { Failure } from "../../mlflow/failure.ts";
import { isDelivering } from "../../store/stream/leases.ts";
import { sleep } from "../../waiting.ts";
import type { Deps } from "../deps.ts";

const MAX_REST_MS = 2_000;

/** A job as its handler sees it: what it is about, and where an earlier message of it stopped. */
export type Job = { id: string; action: JobAction; target: string; progress: string | null; counts: Counts };

/** What came of one message of a job. `counts` are the totals so far, `progress` is the handler's own text. */
export type JobStep =
  | { kind: "done"; counts: Counts }
  /** More to do than fits into one message. */
  | { kind: "continue"; progress: string; counts: Counts; delayMs: number }
  /** MLflow is away, or another has the lease: comes again without spending an attempt. */
  | { kind: "snooze"; ms: number; error: string }
  /** An answer that looks permanent: spends an attempt. */
  | { kind: "failed"; failure: Pick<Failure, "kind" | "message"> }
  /** There is nothing that could be done. */
  | { kind: "cancel"; reason: string };

/** Does a bounded part of a job. Never throws for what MLflow does. */
export type JobHandler = (deps: Deps, job: Job) => Promise<JobStep>;

/**
 * After a job's call to MLflow: while live delivery has a stream in hand, waits as long as the call took, so that a
 * large pull takes at most half of one connection.
 */
export async function rest({ db }: Pick<Deps, "db">, callMs: number): Promise<void> {
  if (!(await isDelivering(db))) return;
  await sleep(Math.min(callMs, MAX_REST_MS));
}
