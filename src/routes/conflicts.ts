import { Hono } from "hono";
import * as z from "zod";
import { CONFLICT_KINDS, CONFLICT_STATES, type Side } from "../domain/words.ts";
import { HttpFailure } from "../errors.ts";
import type { Deps } from "../relay/deps.ts";
import { MAX_RESOLVED, type Resolved, resolveConflicts } from "../relay/resolve.ts";
import type { OpenConflict } from "../store/open-conflicts.ts";
import { listConflicts, readConflict } from "../store/read-conflicts.ts";
import { ownerView } from "../store/read-ops.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { readJsonBody } from "./json-body.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";

const RETRY_AFTER_SECONDS = 5;

const filter = {
  kind: oneOf(CONFLICT_KINDS).optional(),
  model_run_id: someText.optional(),
  trial_id: someText.optional(),
};
const listQuery = { ...paging, ...filter, state: oneOf(CONFLICT_STATES).optional() };
const take = oneOf(["relay", "mlflow"]);
const IDS_RULE = `must be a list of 1 to ${MAX_RESOLVED} numbers of conflicts`;
const bulkBody = {
  take,
  filter: z
    .strictObject(
      {
        ...filter,
        ids: z
          .array(z.int(IDS_RULE).min(1, IDS_RULE), IDS_RULE)
          .min(1, IDS_RULE)
          .max(MAX_RESOLVED, IDS_RULE)
          .optional(),
        all: z.literal(true, "must be true").optional(),
      },
      "must be an object of filters",
    )
    .refine((given) => Object.keys(given).length > 0, "must name at least one filter, or all: true"),
  dry_run: z.boolean("must be true or false").default(false),
};

/** `/api/ops/conflicts`: what was said differently on both sides, and settling it by hand. */
export const conflicts = new Hono<AppEnv>()
  .get("/", requireScope("read"), async (c) => {
    const { limit, cursor, ...filter } = readQuery(c, listQuery);
    const rows = await listConflicts(c.var.relay.db, filter, readCursor(c, cursor), limit);
    const page = toPage(c, rows, limit);
    return c.json({ conflicts: page.rows, next_cursor: page.next_cursor });
  })
  .get("/:id", requireScope("read"), async (c) => {
    readQuery(c, {});
    return c.json(await conflictOf(c.var.relay.db, c.req.param("id")));
  })
  .post("/resolve", requireScope("admin"), async (c) => {
    const { relay } = c.var;
    const asked = await readJsonBody(c, bulkBody);
    const { all: _, ...filter } = asked.filter;
    const { done, undone, matching, left } = settledOrThrow(
      await resolveConflicts(relay, filter, asked.take, asked.dry_run),
    );
    if (!asked.dry_run)
      relay.log.info("conflicts were resolved by an operator", { take: asked.take, resolved: done.length });
    return c.json({
      take: asked.take,
      dry_run: asked.dry_run,
      matching,
      done: done.map(brief),
      not_done: undone.map(({ conflict, reason }) => ({ ...brief(conflict), reason })),
      left,
    });
  })
  .post("/:id/resolve", requireScope("admin"), async (c) => {
    const { relay } = c.var;
    const id = c.req.param("id");
    const { take: side } = await readJsonBody(c, { take });
    return c.json(await resolveOne(relay, await conflictOf(relay.db, id), side));
  });

type View = NonNullable<Awaited<ReturnType<typeof readConflict>>>;

async function conflictOf(db: D1Database, id: string): Promise<View> {
  return found(/^\d{1,15}$/.test(id) ? await readConflict(db, Number(id)) : null, `conflict ${id}`);
}

async function resolveOne(relay: Deps, conflict: View, side: Side): Promise<View> {
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
function brief({ id, kind, field, stream }: OpenConflict) {
  const { key, kind: streamKind, modelRunId, trialId } = stream;
  return { id, kind, field, ...ownerView({ streamKey: key, streamKind, modelRunId, trialId }) };
}
