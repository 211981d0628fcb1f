import * as z from "zod";
import { modelRun, modelRunListed } from "../../answers/model-runs.ts";
import { nextCursor } from "../../answers/parts.ts";
import { MODEL_RUN_STATES } from "../../domain/words.ts";
import { ok, resource } from "../contract.ts";
import { maybe, oneOf, paging } from "../door/query.ts";
import { modelRunId } from "../examples.ts";

const modelRunList = z
  .object({ model_runs: z.array(modelRunListed), next_cursor: nextCursor })
  .meta({ id: "ModelRunList" });

/** `/api/model-runs`: the list, and one model run by the trainer's own id. */
export const modelRuns = resource(
  "Model runs",
  "One search or study by a trainer; in MLflow the parent run of its trials.",
  {
    listModelRuns: {
      at: "GET /api/model-runs",
      summary: "List model runs",
      description: "Newest first.",
      scope: "read",
      query: { ...paging, state: maybe(oneOf(MODEL_RUN_STATES), "The model run's state.") },
      answers: ok("A page of model runs.", modelRunList),
    },
    getModelRun: {
      at: "GET /api/model-runs/:id",
      summary: "Read a model run",
      description: "All of one model run, and how its trials fare.",
      scope: "read",
      path: modelRunId,
      query: {},
      answers: ok("The model run.", modelRun),
      refusals: [404],
    },
  },
);
