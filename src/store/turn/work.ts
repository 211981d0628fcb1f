import { drizzle } from "drizzle-orm/d1";
import { tagsToDelete, tagsToSend } from "../delivery/agreed.ts";
import { type Next, nextQueries } from "../delivery/batch-plan.ts";
import { type Batch, batchesOf, pendingRows } from "../delivery/batches.ts";
import { parentExperiment } from "../delivery/parents.ts";
import { type ClientsRun, clientsRow, readClients } from "../gateway/delivery.ts";
import type { StreamRow } from "../stream/leases.ts";

/**
 * What a stream has for MLflow: batches that were planned before, the tags that it is about to change or take away
 * there (whether they replace something is for a look to tell), and what is next.
 */
export type Work = {
  /** Up to where the stream was folded as it was read. */
  foldedSeq: number;
  pending: Batch[];
  tags: string[];
  takenAway: string[];
  /** The experiment that a trial's model run names. */
  parentExperiment: string | null;
  /** Null where it is no run of an MLflow client's. */
  client: ClientsRun | null;
  next: Next;
};

/** All that a turn has to know of what it is to send, as it is at one moment. */
export async function readWork(db: D1Database, stream: StreamRow): Promise<Work> {
  const orm = drizzle(db);
  const [pending, tags, takenAway, [parent], clients, ...next] = await orm.batch([
    pendingRows(db, { id: stream.id }),
    tagsToSend(db, stream),
    tagsToDelete(db, stream.id),
    parentExperiment(db, stream),
    clientsRow(db, stream.id),
    ...nextQueries(db, stream),
  ]);
  return {
    foldedSeq: stream.foldedSeq,
    pending: batchesOf(pending),
    tags: tags.results.map(({ key }) => key),
    takenAway: takenAway.results.map(({ key }) => key),
    parentExperiment: parent?.name ?? null,
    client: readClients(clients),
    next,
  };
}
