import { Hono } from "hono";
import { listRefusals } from "../store/refusals.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readCursor, toPage } from "./cursor.ts";
import { flushTraces } from "./note-refusal.ts";
import { paging, readQuery, someText } from "./query.ts";

const listQuery = {
  ...paging,
  model_run_id: someText.optional(),
  trial_id: someText.optional(),
  token_id: someText.optional(),
  error: someText.optional(),
};

/** `/api/ops/refusals`: what was refused at the door, of which trial and with which token. */
export const refusals = new Hono<AppEnv>().get("/refusals", requireScope("admin"), async (c) => {
  const { limit, cursor, ...filter } = readQuery(c, listQuery);
  const { relay } = c.var;
  await flushTraces(relay);
  const page = toPage(c, await listRefusals(relay.db, filter, readCursor(c, cursor), limit), limit);
  return c.json({ refusals: page.rows, next_cursor: page.next_cursor });
});
