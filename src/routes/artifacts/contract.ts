import * as z from "zod";
import { artifactView, modelArtifacts, removedArtifacts, trialArtifacts } from "../../answers/artifacts.ts";
import { count, nextCursor } from "../../answers/parts.ts";
import { semver } from "../../domain/fields.ts";
import { ok, resource } from "../contract.ts";
import { maybe, paging, someText } from "../door/query.ts";
import { ARTIFACT, KEPT_FILE, MLFLOW_RUN, runId, trialId } from "../examples.ts";

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

const trialFile = {
  ...trialId,
  path: {
    description:
      "The file's path from the run's root: at most 1,000 characters, no `.` or `..` between slashes, no `#`, backslash, control character or escape in the name itself.",
    example: ARTIFACT,
  },
};

const MODEL = {
  id: "9f86d081884c7d65",
  uri: "s3://models/study-1/t1/weights.bin",
  checksum: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  bytes: 4096,
  status: "promoted",
  semver: "1.0.0",
  spec_id: null,
};

/** `/api/trials/:id/artifacts` and `/api/runs/:id/artifacts`: the files of a trial or a run. */
export const artifacts = resource(
  "Artifacts",
  "Files of trials, kept here and handed over to MLflow, and of MLflow's runs.",
  {
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
      refusals: [404, 416],
    },
    listTrialArtifacts: {
      at: "GET /api/trials/:id/artifacts",
      summary: "List a trial's files",
      description: "One directory: what the relay has, and beside it what only MLflow has.",
      scope: "read",
      path: trialId,
      query: { path: maybe(someText, "The directory; without it the run's root."), ...paging },
      answers: ok("Its files and directories, by path.", trialArtifacts, {
        weights: { summary: "A file", value: { files: [KEPT_FILE], mlflow: "none", next_cursor: null } },
      }),
      refusals: [404],
    },
    listModelArtifacts: {
      at: "GET /api/trials/:id/model-artifacts",
      summary: "List a trial's models",
      description:
        "What the `ml.artifact.*` events tell of: models, where they are, and whether they were promoted or archived. In MLflow these are tags of the run.",
      scope: "read",
      path: trialId,
      answers: ok("Its models.", modelArtifacts, {
        promoted: { summary: "A promoted model", value: { model_artifacts: [MODEL] } },
      }),
      refusals: [404],
    },
    putTrialArtifact: {
      at: "PUT /api/trials/:id/artifacts/:path{.+}",
      summary: "Upload a file",
      description:
        "Keeps the body as a file of the trial and hands it over to MLflow, whenever that is there. The same bytes again change nothing, others are the next version. `Content-MD5`, `Digest`, `Content-Digest`, `Repr-Digest` and `X-Checksum-SHA256` are checked.",
      scope: "ingest",
      path: trialFile,
      query: {
        semver: maybe(
          semver,
          "The file is a model of this version: it is listed as one, as by `ml.artifact.created`.",
        ),
      },
      sent: { description: "The file as it is.", contents: [{ type: "*/*", schema: file }] },
      answers: ok("The file as it is kept.", artifactView, {
        weights: { summary: "A file", value: KEPT_FILE },
      }),
      refusals: [404, 409, 501],
    },
    downloadTrialArtifact: {
      at: "GET /api/trials/:id/artifacts/:path{.+}",
      summary: "Download a trial's file",
      description:
        "From the relay, or from MLflow where only that has it. `Range` and `If-None-Match` are understood for what the relay has; its ETag is the SHA-256.",
      scope: "read",
      path: trialFile,
      query: {},
      answers: {
        200: { description: "The file.", type: "application/octet-stream", schema: file },
        206: {
          description: "The bytes that were asked for.",
          type: "application/octet-stream",
          schema: file,
        },
      },
      refusals: [404, 416],
    },
    deleteTrialArtifact: {
      at: "DELETE /api/trials/:id/artifacts/:path{.+}",
      summary: "Delete a file",
      description:
        "Or everything in a directory, what only MLflow has too while that is there; here at once, in MLflow by hand-over.",
      scope: "ingest",
      path: trialFile,
      query: {},
      answers: ok("How many files were removed.", removedArtifacts, {
        one: { summary: "One file", value: { removed: 1, complete: true } },
      }),
      refusals: [404],
    },
  },
);
