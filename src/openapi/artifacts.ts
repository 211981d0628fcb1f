import * as z from "zod";
import { component } from "./components.ts";
import { ARTIFACT, MLFLOW_RUN } from "./examples.ts";
import type { Resource } from "./operation.ts";
import { count, nextCursor, pathText, textFilter } from "./parts.ts";

const artifactList = component(
  "ArtifactList",
  z.object({
    mlflow_run_id: z.string(),
    files: z.array(
      z.object({
        path: z.string().describe("From the run's root."),
        is_dir: z.boolean(),
        bytes: count.nullable().describe("Null for a directory, and for an empty file."),
      }),
    ),
    next_cursor: nextCursor,
  }),
);

const file = component(
  "ArtifactFile",
  z.string().meta({ format: "binary", description: "The file as it is, as an attachment." }),
);

const run = pathText("id", "MLflow's id of the run.", MLFLOW_RUN);

/** `/api/runs/{id}/artifacts`: the files of a run. */
export const artifactsResource: Resource = {
  name: "Artifacts",
  description: "The files of MLflow's runs, read through from MLflow.",
  operations: {
    "GET /api/runs/{id}/artifacts": {
      id: "listArtifacts",
      summary: "List artifacts",
      description: "One directory of a run's artifacts.",
      scope: "read",
      parameters: [
        run,
        textFilter("path", "The directory; without it the run's root."),
        textFilter("cursor", "The `next_cursor` of the page before."),
      ],
      answers: {
        200: {
          description: "Its files and directories.",
          schema: artifactList,
          examples: {
            model: {
              summary: "A file",
              value: {
                mlflow_run_id: MLFLOW_RUN,
                files: [{ path: ARTIFACT, is_dir: false, bytes: 4096 }],
                next_cursor: null,
              },
            },
          },
        },
      },
      refusals: [400, 404, 503],
    },
    "GET /api/runs/{id}/artifacts/{path}": {
      id: "downloadArtifact",
      summary: "Download an artifact",
      description: "A file of the run, streamed through. Slashes in its path may be written as they are.",
      scope: "read",
      parameters: [run, pathText("path", "The file's path from the run's root.", ARTIFACT)],
      answers: { 200: { description: "The file.", type: "application/octet-stream", schema: file } },
      refusals: [400, 404, 503],
    },
  },
};
