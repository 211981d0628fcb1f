import * as z from "zod";
import { watch } from "../../answers/jobs.ts";
import { ok, resource } from "../contract.ts";
import { whichExperiment } from "../sync/which-experiment.ts";

const watchList = z.object({ watches: z.array(watch) }).meta({ id: "WatchList" });

/** `/api/sync/watches`: the experiments that are followed on every pass of the cron. */
export const watches = resource(
  "Watches",
  "Experiments that are followed: each pass of the cron reads their runs from MLflow.",
  {
    addWatch: {
      at: "POST /api/sync/watches",
      summary: "Follow an experiment",
      description: "By name it is followed through renames, and may be made later.",
      scope: "admin",
      body: whichExperiment,
      answers: {
        200: { description: "It is followed already.", schema: watch },
        201: { description: "It is followed from now on.", schema: watch },
      },
      refusals: [409],
    },
    listWatches: {
      at: "GET /api/sync/watches",
      summary: "List watches",
      description: "Oldest first, each with its last job.",
      scope: "read",
      query: {},
      answers: ok("All watches.", watchList),
    },
    removeWatch: {
      at: "DELETE /api/sync/watches/:id",
      summary: "Follow an experiment no more",
      description: "What was read of it stays.",
      scope: "admin",
      path: { id: { description: "The watch's number.", example: "1" } },
      query: {},
      answers: ok("The watch, which is no more.", watch),
      refusals: [404],
    },
  },
);
