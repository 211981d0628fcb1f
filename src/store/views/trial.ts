import { desc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Trial, TrialSummary } from "../../answers/trials.ts";
import { type Core, endOf, fieldOf } from "../../domain/core.ts";
import type { State } from "../../domain/fold.ts";
import { lostContactAt, statusOf } from "../../domain/status.ts";
import type { Json } from "../../domain/types.ts";
import { countsOf, iso } from "../listing/common.ts";
import { latestVerdict } from "../readback/verdicts.ts";
import { conflicts } from "../schema/index.ts";
import { conflictView } from "./conflicts.ts";
import { readState, stateView } from "./state.ts";
import { trialRow, trialView } from "./trial-rows.ts";

const MAX_CONFLICTS = 100;

/** Everything of one trial, by its public id; null when there is none. */
export async function readTrial(db: D1Database, key: string): Promise<Trial | null> {
  const read = await readTrialFacts(db, key);
  if (!read) return null;
  const { streamId, points, ...facts } = read;
  return { ...facts, counts: { ...(await countsOf(db, streamId)), points } };
}

/** The same but for what takes longer the more events there are. */
export async function readTrialFacts(db: D1Database, key: string) {
  const row = await trialRow(db, key);
  if (!row) return null;
  const [{ state, ahead, unreadable }, conflicting, verified] = await Promise.all([
    readState(db, { id: row.id, kind: "trial" }),
    latestConflicts(db, row.id),
    latestVerdict(db, row.id),
  ]);
  return {
    streamId: row.id,
    points: pointsOf(state),
    ...trialView({ ...row, updatedAt: ahead ? row.acceptedAt : row.updatedAt }),
    // What the last fold made of it stands in the row as well.
    ...(unreadable?.part === "record" ? {} : foldedView(state.core)),
    experiment_name: row.ownExperiment ?? text(fieldOf(state.core, "experiment_name")) ?? row.experimentName,
    ...stateView(state),
    unreadable,
    verified,
    conflicts: conflicting,
  };
}
export type TrialFacts = NonNullable<Awaited<ReturnType<typeof readTrialFacts>>>;

/** What the list shows of the fold, with the events that are not in its rows yet. */
function foldedView(core: Core): Partial<TrialSummary> {
  const number = (value: Json) => (typeof value === "number" ? value : null);
  const spectralNorm = fieldOf(core, "spectral_norm");
  return {
    run_name: text(fieldOf(core, "run_name")),
    status: statusOf(core.lifecycle),
    spectral_norm: typeof spectralNorm === "boolean" ? spectralNorm : null,
    started_at: iso(core.startedAt),
    ended_at: iso(endOf(core)),
    lost_contact_at: iso(lostContactAt(core.lifecycle)),
    duration_ms: number(fieldOf(core, "duration_ms")),
    rank: number(fieldOf(core, "rank")),
  };
}

function text(value: Json): string | null {
  return typeof value === "string" ? value : null;
}

/** Every point was folded into one summary, so that nothing has to be counted. */
function pointsOf({ metrics }: State): number {
  return [...metrics.values()].reduce((sum, summary) => sum + summary.count, 0);
}

async function latestConflicts(db: D1Database, streamId: number) {
  const rows = await drizzle(db)
    .select()
    .from(conflicts)
    .where(eq(conflicts.streamId, streamId))
    .orderBy(desc(conflicts.id))
    .limit(MAX_CONFLICTS);
  return rows.map(conflictView);
}
