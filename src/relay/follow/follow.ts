import { type Counts, count } from "../../domain/counts.ts";
import { errorText } from "../../log.ts";
import { type Attempt, dueToFollow, noteFollowed, takeAttempt } from "../../store/mirror/marks.ts";
import type { Deps } from "../deps.ts";
import { followMessage } from "../messages.ts";
import { type Queues, tryEnqueueAll } from "../queues.ts";
import { countPulled, pullStream } from "./pull.ts";
import { linkTagged } from "./tagged.ts";

/** When a run is due again whose attempt came to nothing: with the cron's next pass. */
const RETRY_MS = 4 * 60_000;
/** The messages of one pass, behind which a job that is asked for has to wait; the rest has its turn in the next. */
const MAX_SENT = 300;

/** Sends the messages of the runs that are to be followed. */
export async function sendDue(deps: Pick<Deps, "db" | keyof Queues | "log" | "now">): Promise<void> {
  const due = await dueToFollow(deps.db, deps.now(), MAX_SENT);
  await tryEnqueueAll(deps, due.map(followMessage));
}

/**
 * Follows one run that a look has marked, under its stream's lease: links it, or merges what was changed in it. What
 * came of it is written to its row; where that is nothing yet, the mark stays.
 */
export async function followRun(deps: Deps, runId: string): Promise<void> {
  // While MLflow is not called it is no attempt.
  if ((await deps.guard.held()) !== null) return;
  const attempt = await takeAttempt(deps.db, runId, deps.now(), deps.now() + RETRY_MS);
  if (attempt === null) return;
  const counts: Counts = {};
  const isOver = await followed(deps, attempt, counts);
  await noteFollowed(deps.db, attempt, { isOver, counts }, deps.now());
}

/** @returns whether nothing is left to do */
async function followed(deps: Deps, { runId, streamId }: Attempt, counts: Counts): Promise<boolean> {
  try {
    if (streamId === null) return await linkTagged(deps, runId, counts);
    return countPulled(deps, counts, await pullStream(deps, streamId, null), streamId);
  } catch (error) {
    deps.log.error("a run could not be followed", { run: runId, error: errorText(error) });
    count(counts, "failed");
    return false;
  }
}
