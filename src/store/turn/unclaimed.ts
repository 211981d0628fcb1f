import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type Core, withMarks } from "../../domain/core.ts";
import { parentRow } from "../delivery/parents.ts";
import { type At, fixed } from "../fixed.ts";
import { type Unfolded, unfoldedOf, unfoldedQueries } from "../journal/unfolded.ts";
import { unlinkedRun } from "../mirror/tagged.ts";
import { type Breaker, breakerRow } from "../ops/breakers.ts";
import { streams } from "../schema/index.ts";
import { readableCore } from "../stream/core-column.ts";
import type { StreamRow } from "../stream/leases.ts";
import type { Above } from "./places.ts";

/** What a turn wants to know of a stream before it claims it. */
export type Unclaimed = {
  breaker: Breaker | null;
  above: Above;
  /** Null: there is no such stream. */
  stream: StreamRow | null;
  /** What is to be folded next; null where all is. */
  helping: Unfolded | null;
  /** The folded core, where nothing is to be folded and it can be read. */
  core: Core | null;
};

const streamRow = fixed((orm, at: At<"id">) =>
  orm
    .select()
    .from(streams)
    .where(eq(streams.id, at("id"))),
);

/**
 * Reads all that in one batch.
 * @param server the breaker's key
 * @throws what is thrown over an event that cannot be read
 */
export async function readUnclaimed(db: D1Database, streamId: number, server: string): Promise<Unclaimed> {
  const [[breaker], [parent], { results: tagged }, [stream], ...unfolded] = await drizzle(db).batch([
    breakerRow(db, { server }),
    parentRow(db, { id: streamId }),
    unlinkedRun(db, streamId),
    streamRow(db, { id: streamId }),
    ...unfoldedQueries(db, streamId, null),
  ]);
  const helping = stream ? unfoldedOf(unfolded) : null;
  const [folded] = unfolded[2];
  const core = helping === null && folded ? readableCore(folded.core) : null;
  return {
    breaker: breaker ?? null,
    above: { parent: parent ?? null, foundRunId: tagged[0]?.runId ?? null },
    stream: stream ?? null,
    helping,
    core: core && folded ? withMarks(core, folded) : null,
  };
}
