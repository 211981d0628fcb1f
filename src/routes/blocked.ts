import { type Context, Hono } from "hono";
import * as z from "zod";
import { HttpFailure } from "../errors.ts";
import { UNBLOCK_ACTIONS, type Unblocked, unblock } from "../relay/unblock.ts";
import { listBlocked } from "../store/blocked.ts";
import { modelRunStream } from "../store/parents.ts";
import { trialStream } from "../store/read-state.ts";
import { streams } from "../store/schema.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { readJsonBody } from "./json-body.ts";
import { found, oneOf, paging, readQuery, someText } from "./query.ts";

const RETRY_AFTER_SECONDS = 5;

const listQuery = {
  ...paging,
  kind: oneOf(streams.kind.enumValues).optional(),
  model_run_id: someText.optional(),
  forgotten: oneOf(["true", "false"])
    .default("false")
    .transform((word) => word === "true"),
};

const unblockBody = {
  action: oneOf(UNBLOCK_ACTIONS),
  dry_run: z.boolean("must be true or false").default(false),
};

/** What MLflow has lost of a trial or model run stops its delivery; here it is seen, and set going again. */
export const blocked = new Hono<AppEnv>()
  .get("/blocked", requireScope("admin"), async (c) => {
    const { limit, cursor, ...filter } = readQuery(c, listQuery);
    const rows = await listBlocked(c.var.relay.db, filter, readCursor(c, cursor), limit);
    const page = toPage(c, rows, limit);
    return c.json({ blocked: page.rows, next_cursor: page.next_cursor });
  })
  .post("/trials/:id/unblock", requireScope("admin"), async (c) => {
    const id = c.req.param("id");
    const { id: streamId, modelRunId, trialId } = found(await trialStream(c.var.relay.db, id), `trial ${id}`);
    return settle(c, streamId, { trial: id, trial_id: trialId, model_run_id: modelRunId });
  })
  .post("/model-runs/:id/unblock", requireScope("admin"), async (c) => {
    const id = c.req.param("id");
    const { stream } = found(await modelRunStream(c.var.relay.db, id), `model run ${id}`);
    return settle(c, stream.id, { trial: null, trial_id: null, model_run_id: id });
  });

type Owner = { trial: string | null; trial_id: string | null; model_run_id: string | null };

async function settle(c: Context<AppEnv>, streamId: number, owner: Owner): Promise<Response> {
  const { action, dry_run } = await readJsonBody(c, unblockBody);
  const { relay } = c.var;
  const { block, changes } = doneOrThrow(await unblock(relay, streamId, action, dry_run));
  if (!dry_run) relay.log.info("unblocked by an operator", { ...owner, action });
  return c.json({
    ...owner,
    action,
    dry_run,
    blocked_kind: block.kind,
    blocked_on: block.on,
    blocked_reason: block.reason,
    changes,
  });
}

function doneOrThrow(outcome: Unblocked): Extract<Unblocked, { kind: "done" }> {
  if (outcome.kind === "done") return outcome;
  const { kind, detail } = outcome;
  if (kind === "refused") throw new HttpFailure({ kind: "conflict", detail });
  throw new HttpFailure({ kind: "unavailable", detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
}
