import type { Owner } from "../../answers/parts.ts";
import { HttpFailure } from "../../errors.ts";
import type { Deps } from "../../relay/deps.ts";
import type { Unblocked } from "../../relay/repair/changes.ts";
import { unblock } from "../../relay/repair/unblock.ts";
import { listBlocked } from "../../store/delivery/blocked.ts";
import { modelRunStream } from "../../store/delivery/parents.ts";
import { trialStream } from "../../store/views/state.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { blocked, type UnblockedView, type UnblockRequest } from "./contract.ts";

const RETRY_AFTER_SECONDS = 5;

export const blockedRoutes = routes(blocked, {
  listBlocked: async ({ c, relay, query: { limit, cursor, ...filter } }) => {
    const page = toPage(c, await listBlocked(relay.db, filter, readCursor(c, cursor), limit), limit);
    return { blocked: page.rows, next_cursor: page.next_cursor };
  },
  unblockTrial: async ({ relay, path: { id }, readBody }) => {
    const { id: streamId, modelRunId, trialId } = found(await trialStream(relay.db, id), `trial ${id}`);
    const owner = { trial: id, trial_id: trialId, model_run_id: modelRunId };
    return unblockNow(relay, streamId, owner, await readBody());
  },
  unblockModelRun: async ({ relay, path: { id }, readBody }) => {
    const { stream } = found(await modelRunStream(relay.db, id), `model run ${id}`);
    return unblockNow(relay, stream.id, { trial: null, trial_id: null, model_run_id: id }, await readBody());
  },
});

async function unblockNow(
  relay: Deps,
  streamId: number,
  owner: Owner,
  { action, dry_run }: UnblockRequest,
): Promise<UnblockedView> {
  const { block, changes } = doneOrThrow(await unblock(relay, streamId, action, dry_run));
  if (!dry_run) relay.log.info("unblocked by an operator", { ...owner, action });
  return {
    ...owner,
    action,
    dry_run,
    blocked_kind: block.kind,
    blocked_on: block.on,
    blocked_reason: block.reason,
    changes,
  };
}

function doneOrThrow(unblocked: Unblocked): Extract<Unblocked, { kind: "done" }> {
  if (unblocked.kind === "done") return unblocked;
  const { kind, detail } = unblocked;
  if (kind === "refused") throw new HttpFailure({ kind: "conflict", detail });
  throw new HttpFailure({ kind: "unavailable", detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
}
