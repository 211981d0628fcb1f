import { drizzle } from "drizzle-orm/d1";
import { type ParentRow, parentRow } from "../delivery/parents.ts";
import { activeExperiment } from "../mirror/active-experiments.ts";
import { unlinkedRun } from "../mirror/tagged.ts";

/** What a trial without a run is to be under, and the run in MLflow with its tags that nobody has. */
export type Above = { parent: ParentRow | null; foundRunId: string | null };

/** Where a trial's run is to be, in one batch. */
export async function readAbove(db: D1Database, streamId: number): Promise<Above> {
  const [{ results }, [parent]] = await drizzle(db).batch([
    unlinkedRun(db, streamId),
    parentRow(db, { id: streamId }),
  ]);
  return { parent: parent ?? null, foundRunId: results[0]?.runId ?? null };
}

/**
 * Where a model run's run is to be, in one batch: the one that carries its tags and that nobody has, and the active
 * experiment of this name; null where the mirror knows none.
 */
export async function readHome(
  db: D1Database,
  streamId: number,
  experimentName: string,
): Promise<{ foundRunId: string | null; experimentId: string | null }> {
  const [{ results }, [known]] = await drizzle(db).batch([
    unlinkedRun(db, streamId),
    activeExperiment(db, { name: experimentName }),
  ]);
  return { foundRunId: results[0]?.runId ?? null, experimentId: known?.id ?? null };
}
