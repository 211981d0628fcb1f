import { allWatches, noteJob } from "../store/watches.ts";
import type { Deps } from "./deps.ts";
import { ask } from "./jobs.ts";
import { NAME_TARGET } from "./sync-experiment.ts";

/** Asks for a job for every experiment that is followed; one that is still at work is not asked for again. */
export async function pullWatched(deps: Pick<Deps, "db" | "jobs" | "now" | "log">): Promise<number> {
  const watches = await allWatches(deps.db);
  for (const { id, mlflowExperimentId, name, lastJobId } of watches) {
    const target = mlflowExperimentId ?? `${NAME_TARGET}${name}`;
    const { jobId } = await ask(deps, { action: "sync_experiment", target, origin: "cron" });
    if (jobId !== lastJobId) await noteJob(deps.db, id, jobId);
  }
  return watches.length;
}
