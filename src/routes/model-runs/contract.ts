import * as z from "zod";
import { modelRun, modelRunListed } from "../../answers/model-runs.ts";
import { nextCursor } from "../../answers/parts.ts";
import { MODEL_RUN_STATES } from "../../domain/words.ts";
import { MODEL_RUN_SORTS, type ModelRunSort } from "../../store/views/model-runs.ts";
import { documented, ok, resource } from "../contract.ts";
import { maybe, oneOf, paging, someText } from "../door/query.ts";
import { modelRunId, STUDY } from "../examples.ts";

const SORTS = MODEL_RUN_SORTS.flatMap((column) => [column, `-${column}` as const]);
const sort = oneOf(SORTS)
  .default("-created_at")
  .register(documented, { as: { type: "string", enum: SORTS, default: "-created_at" } })
  .meta({ description: "The column to sort by, with `-` before it for descending.", example: "-updated_at" });

/** What the list takes. */
export const modelRunQuery = {
  ...paging,
  state: maybe(oneOf(MODEL_RUN_STATES), "The model run's state."),
  search: maybe(someText, "A part of its id or its name, whatever the case of its letters.", STUDY),
  sort,
};

/** A sort's name as the list takes it. */
export function sortOf(name: (typeof SORTS)[number]): ModelRunSort {
  const descending = name.startsWith("-");
  const column = MODEL_RUN_SORTS.find((known) => name.endsWith(known)) ?? "created_at";
  return { column, descending };
}

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
      description: "Newest first, unless sorted otherwise.",
      scope: "read",
      query: modelRunQuery,
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
