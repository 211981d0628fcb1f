import * as z from "zod";
import { JOB_STATES } from "../domain/words.ts";
import { component } from "./components.ts";
import { whichExperiment } from "./job-bodies.ts";
import type { Resource } from "./operation.ts";
import { count, maybeText, maybeTime, pathText, time } from "./parts.ts";

const watch = component(
  "Watch",
  z.object({
    id: z.int(),
    experiment_id: maybeText.describe("MLflow's id, where it is followed by that."),
    experiment_name: maybeText.describe("Its name, where it is followed by that."),
    created_at: time,
    last_job: z
      .object({
        id: z.string(),
        state: z.enum(JOB_STATES),
        counts: z.record(z.string(), count),
        error: maybeText.describe("The last thing that went wrong."),
        updated_at: time,
        finished_at: maybeTime,
      })
      .nullable()
      .describe("Of the last pass that asked for it."),
  }),
);

const watchList = component("WatchList", z.object({ watches: z.array(watch) }));

/** `/api/sync/watches`: the experiments that are followed. */
export const watchesResource: Resource = {
  name: "Watches",
  description: "Experiments that are followed: each pass of the cron reads their runs from MLflow.",
  operations: {
    "POST /api/sync/watches": {
      id: "addWatch",
      summary: "Follow an experiment",
      description: "By name it is followed through renames, and may be made later.",
      scope: "admin",
      body: whichExperiment,
      answers: {
        200: { description: "It is followed already.", schema: watch },
        201: { description: "It is followed from now on.", schema: watch },
      },
      refusals: [400, 409],
    },
    "GET /api/sync/watches": {
      id: "listWatches",
      summary: "List watches",
      description: "Oldest first, each with its last job.",
      scope: "read",
      answers: { 200: { description: "All watches.", schema: watchList } },
      refusals: [400],
    },
    "DELETE /api/sync/watches/{id}": {
      id: "removeWatch",
      summary: "Follow an experiment no more",
      description: "What was read of it stays.",
      scope: "admin",
      parameters: [pathText("id", "The watch's number.", "1")],
      answers: { 200: { description: "The watch, which is no more.", schema: watch } },
      refusals: [400, 404],
    },
  },
};
