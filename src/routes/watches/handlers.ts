import { HttpFailure } from "../../errors.ts";
import { addWatch, MAX_WATCHES, removeWatch, watchViews } from "../../store/jobs/watches.ts";
import { found } from "../door/query.ts";
import { Reply } from "../handler.ts";
import { routes } from "../route.ts";
import { oneExperiment } from "../sync/which-experiment.ts";
import { watches } from "./contract.ts";

export const watchRoutes = routes(watches, {
  addWatch: async ({ relay: { db, now, log }, readBody }) => {
    const watched = oneExperiment(await readBody());
    const added = await addWatch(db, watched, now());
    if (added === null)
      throw new HttpFailure({
        kind: "conflict",
        detail: `At most ${MAX_WATCHES} experiments can be followed.`,
      });
    if (added.created) log.info("an experiment is followed from now on", { watch: added.id, ...watched });
    const [view] = await watchViews(db, added.id);
    const watch = found(view, `watch ${added.id}`);
    return added.created ? new Reply(201, watch) : new Reply(200, watch);
  },
  listWatches: async ({ relay }) => ({ watches: await watchViews(relay.db) }),
  removeWatch: async ({ relay: { db, log }, path: { id } }) => {
    const [view] = /^\d{1,15}$/.test(id) ? await watchViews(db, Number(id)) : [];
    const removed = view !== undefined && (await removeWatch(db, view.id));
    if (removed) log.info("an experiment is followed no more", { watch: view.id });
    return found(removed ? view : null, `watch ${id}`);
  },
});
