import type { JobAction } from "../../domain/words.ts";
import type { Failure } from "../../mlflow/failure.ts";
import type { Deps } from "../deps.ts";
import type { Counts } from "../follow/helping.ts";

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
