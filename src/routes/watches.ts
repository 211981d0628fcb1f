import { Hono } from "hono";
import { HttpFailure } from "../errors.ts";
import { addWatch, MAX_WATCHES, removeWatch, watchViews } from "../store/watches.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readExperiment } from "./experiment-body.ts";
import { found, readQuery } from "./query.ts";

/** `/api/sync/watches`: the experiments that are followed on every pass of the cron. */
export const watches = new Hono<AppEnv>()
  .get("/", requireScope("read"), async (c) => {
    readQuery(c, {});
    return c.json({ watches: await watchViews(c.var.relay.db) });
  })
  .post("/", requireScope("admin"), async (c) => {
    const { db, now, log } = c.var.relay;
    const watched = await readExperiment(c);
    const added = await addWatch(db, watched, now());
    if (added === null)
      throw new HttpFailure({
        kind: "conflict",
        detail: `At most ${MAX_WATCHES} experiments can be followed.`,
      });
    if (added.created) log.info("an experiment is followed from now on", { watch: added.id, ...watched });
    const [view] = await watchViews(db, added.id);
    return c.json(view, added.created ? 201 : 200);
  })
  .delete("/:id", requireScope("admin"), async (c) => {
    readQuery(c, {});
    const { db, log } = c.var.relay;
    const id = c.req.param("id");
    const [view] = /^\d{1,15}$/.test(id) ? await watchViews(db, Number(id)) : [];
    const removed = view !== undefined && (await removeWatch(db, view.id));
    if (removed) log.info("an experiment is followed no more", { watch: view.id });
    return c.json(found(removed ? view : null, `watch ${id}`));
  });
