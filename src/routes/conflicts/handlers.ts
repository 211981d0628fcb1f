import type { Conflict } from "../../answers/trials.ts";
import type { Side } from "../../domain/words.ts";
import { HttpFailure } from "../../errors.ts";
import type { Deps } from "../../relay/deps.ts";
import { type Resolved, resolveConflicts } from "../../relay/repair/conflicts.ts";
import { ownerView } from "../../store/listing/common.ts";
import type { OpenConflict } from "../../store/ops/open-conflicts.ts";
import { listConflicts, readConflict } from "../../store/views/conflicts.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { type ConflictBrief, conflicts } from "./contract.ts";

const RETRY_AFTER_SECONDS = 5;

export const conflictRoutes = routes(conflicts, {
  listConflicts: async ({ c, relay, query: { limit, cursor, ...filter } }) => {
    const page = toPage(c, await listConflicts(relay.db, filter, readCursor(c, cursor), limit), limit);
    return { conflicts: page.rows, next_cursor: page.next_cursor };
  },
  getConflict: async ({ relay, path: { id } }) => conflictOf(relay.db, id),
  resolveConflicts: async ({ relay, readBody }) => {
    const { take, dry_run, filter } = await readBody();
    const { all: _, ...which } = filter;
    const { done, undone, matching, left } = settledOrThrow(
      await resolveConflicts(relay, which, take, dry_run),
    );
    if (!dry_run) relay.log.info("conflicts were resolved by an operator", { take, resolved: done.length });
    const not_done = undone.map(({ conflict, reason }) => ({ ...brief(conflict), reason }));
    return { take, dry_run, matching, done: done.map(brief), not_done, left };
  },
  resolveConflict: async ({ relay, path: { id }, readBody }) => {
    const { take } = await readBody();
    return resolveOne(relay, await conflictOf(relay.db, id), take);
  },
});

async function conflictOf(db: D1Database, id: string): Promise<Conflict> {
  return found(/^\d{1,15}$/.test(id) ? await readConflict(db, Number(id)) : null, `conflict ${id}`);
}

async function resolveOne(relay: Deps, conflict: Conflict, side: Side): Promise<Conflict> {
  const { id } = conflict;
  const { done, undone } = settledOrThrow(await resolveConflicts(relay, { ids: [id] }, side));
  const [failed] = undone;
  if (failed?.passes)
    throw new HttpFailure({
      kind: "unavailable",
      detail: failed.reason,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  if (failed) throw new HttpFailure({ kind: "conflict", detail: failed.reason });
  const after = await conflictOf(relay.db, String(id));
  if (done.length === 0)
    throw new HttpFailure({
      kind: "conflict",
      detail: `Conflict ${id} was resolved already, at ${after.resolved_at}, by taking ${after.resolution}.`,
    });
  relay.log.info("a conflict was resolved by an operator", { id, take: side });
  return after;
}

function settledOrThrow(resolved: Resolved): Extract<Resolved, { kind: "settled" }> {
  if (resolved.kind === "settled") return resolved;
  const { detail } = resolved;
  throw new HttpFailure({ kind: "unavailable", detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** Which conflict it was. */
function brief({ id, kind, field, stream }: OpenConflict): ConflictBrief {
  const { key, kind: streamKind, modelRunId, trialId } = stream;
  return { id, kind, field, ...ownerView({ streamKey: key, streamKind, modelRunId, trialId }) };
}
