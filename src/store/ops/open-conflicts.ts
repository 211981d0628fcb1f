import { and, asc, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Disputed } from "../../domain/resolution.ts";
import { statusSaidAt } from "../../domain/status.ts";
import type { Side } from "../../domain/words.ts";
import { conflicts, mlflowRuns, modelRuns, streams, tags, trials } from "../schema/index.ts";
import { readableCore } from "../stream/core-column.ts";
import { type ConflictFilter, conflictCondition } from "../views/conflicts.ts";

/** An open conflict, with whose it is. */
export type OpenConflict = Disputed & {
  id: number;
  stream: {
    id: number;
    key: string;
    kind: "trial" | "model_run";
    modelRunId: string | null;
    trialId: string | null;
    mlflowRunId: string | null;
  };
};

/** The kinds that cannot be settled so, whatever else they hold: they come last, so that the others have their turn. */
const HOPELESS: Record<Side, readonly OpenConflict["kind"][]> = {
  relay: ["param", "experiment", "run_id"],
  mlflow: ["double_run"],
};

/** The open conflicts that match, those that can be settled first and then the oldest, and how many there are. */
export async function openConflicts(
  db: D1Database,
  filter: ConflictFilter,
  take: Side,
  limit: number,
): Promise<{ rows: OpenConflict[]; total: number }> {
  const orm = drizzle(db);
  const matching = conflictCondition({ ...filter, state: "open" });
  const isHopeless = sql`${conflicts.kind} in (select value from json_each(${JSON.stringify(HOPELESS[take])}))`;
  const joined = await orm
    .select({
      conflict: conflicts,
      stream: {
        id: streams.id,
        key: streams.key,
        kind: streams.kind,
        modelRunId: streams.modelRunId,
        trialId: streams.trialId,
        mlflowRunId: streams.mlflowRunId,
      },
      status: trials.status,
      state: modelRuns.state,
      endedAt: sql<number | null>`coalesce(${trials.endedAt}, ${modelRuns.endedAt})`,
      // What a trainer said may be large, and only some kinds depend on it.
      core: sql<
        string | null
      >`case when ${conflicts.kind} in ('name', 'status') then coalesce(${trials.core}, ${modelRuns.core}) end`,
      taggedAt: tags.at,
      mlflowEndTime: mlflowRuns.endTime,
    })
    .from(conflicts)
    .innerJoin(streams, eq(streams.id, conflicts.streamId))
    .leftJoin(trials, eq(trials.id, conflicts.streamId))
    .leftJoin(modelRuns, eq(modelRuns.id, conflicts.streamId))
    .leftJoin(tags, and(eq(tags.streamId, conflicts.streamId), eq(tags.key, conflicts.field)))
    .leftJoin(mlflowRuns, eq(mlflowRuns.mlflowRunId, streams.mlflowRunId))
    .where(matching)
    .orderBy(asc(isHopeless), asc(conflicts.id))
    .limit(limit);
  const [counted] = await orm
    .select({ total: sql<number>`count(*)` })
    .from(conflicts)
    .innerJoin(streams, eq(streams.id, conflicts.streamId))
    .where(matching);
  const rows = joined.flatMap(
    ({ conflict, stream, status, state, core, taggedAt, ...row }): OpenConflict[] => {
      // A record that cannot be read leaves its own conflicts open, and nobody else's.
      const read = readableCore(core);
      if (!read) return [];
      const { fields, lifecycle } = read;
      const saidAt = {
        name: fields.run_name?.at ?? null,
        status: statusSaidAt(lifecycle),
      };
      const open = {
        ...conflict,
        stream,
        now: {
          status: status ?? (state === "initialized" ? "running" : (state ?? "running")),
          endedAt: row.endedAt,
        },
        lifecycle,
        mlflowEndTime: row.mlflowEndTime,
        saidAt: conflict.kind === "name" || conflict.kind === "status" ? saidAt[conflict.kind] : taggedAt,
      };
      return [open];
    },
  );
  return { rows, total: counted?.total ?? 0 };
}
