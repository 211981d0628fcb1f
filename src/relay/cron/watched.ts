import { allWatches, noteJob } from "../../store/jobs/watches.ts";
import type { Deps } from "../deps.ts";
import { ask } from "../jobs/jobs.ts";
import { NAME_TARGET } from "../jobs/sync-experiment.ts";
import type { Queues } from "../queues.ts";

/** With fewer statements left no other job is asked for. */
const ASK_STATEMENTS = 10;

/** Asks for a job for every experiment that is followed; one that is still at work is not asked for again. */
export async function pullWatched(
  deps: Pick<Deps, "db" | "budget" | keyof Queues | "now" | "random" | "log">,
): Promise<number> {
  let asked = 0;
  const watches = await allWatches(deps.db);
  // In any order: those for which this pass does not suffice are not always the same ones.
  const drawn = watches.map((watch) => ({ ...watch, lot: deps.random() })).toSorted((a, b) => a.lot - b.lot);
  for (const { id, mlflowExperimentId, name, lastJobId } of drawn) {
    if (!deps.budget.has(ASK_STATEMENTS)) break;
    const target = mlflowExperimentId ?? `${NAME_TARGET}${name}`;
    const { jobId } = await ask(deps, { action: "sync_experiment", target, origin: "cron" });
    asked++;
    if (jobId !== lastJobId) await noteJob(deps.db, id, jobId);
  }
  return asked;
}
