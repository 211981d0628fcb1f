import * as z from "zod";
import { count, nextCursor } from "../../answers/parts.ts";
import { ok, resource } from "../contract.ts";
import { maybe, someText } from "../door/query.ts";
import { ARTIFACT, MLFLOW_RUN, runId } from "../examples.ts";

const artifactList = z
  .object({
    mlflow_run_id: z.string(),
    files: z.array(
      z.object({
        path: z.string().describe("From the run's root."),
        is_dir: z.boolean(),
        bytes: count.nullable().describe("Null for a directory, and for an empty file."),
      }),
    ),
    next_cursor: nextCursor,
  })
  .meta({ id: "ArtifactList" });

const file = z
  .string()
  .meta({ id: "ArtifactFile", format: "binary", description: "The file as it is, as an attachment." });

const ONE_FILE = {
  mlflow_run_id: MLFLOW_RUN,
  files: [{ path: ARTIFACT, is_dir: false, bytes: 4096 }],
  next_cursor: null,
};

/** `/api/runs/:id/artifacts`: the files of a run. */
export const artifacts = resource("Artifacts", "The files of MLflow's runs, read through from MLflow.", {
  listArtifacts: {
    at: "GET /api/runs/:id/artifacts",
    summary: "List artifacts",
    description: "One directory of a run's artifacts.",
    scope: "read",
    path: runId,
    query: {
      path: maybe(someText, "The directory; without it the run's root."),
      cursor: maybe(someText, "The `next_cursor` of the page before."),
    },
    answers: ok("Its files and directories.", artifactList, {
      model: { summary: "A file", value: ONE_FILE },
    }),
    refusals: [404],
  },
  downloadArtifact: {
    at: "GET /api/runs/:id/artifacts/:path{.+}",
    summary: "Download an artifact",
    description: "A file of the run, streamed through. Slashes in its path may be written as they are.",
    scope: "read",
    path: { ...runId, path: { description: "The file's path from the run's root.", example: ARTIFACT } },
    query: {},
    answers: { 200: { description: "The file.", type: "application/octet-stream", schema: file } },
    refusals: [404],
  },
});
