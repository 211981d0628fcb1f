import * as z from "zod";
import { resource } from "../contract.ts";
import { runId, trialId } from "../examples.ts";

const path = { description: "The file's path from the run's root.", example: "notes.md" };

const preview = z
  .string()
  .meta({ id: "Preview", description: "A document without script, to be shown in a frame." });

const shared = {
  scope: "read",
  query: {},
  answers: { 200: { description: "The document.", type: "text/html; charset=utf-8", schema: preview } },
  refusals: [404, 415],
} as const;

const SHOWS =
  "The first 256 kB of a text, JSON, CSV or one of MLflow's tables, the first 64 kB of Markdown, or an image of up to 4 MB, by the media type that the file was given or its name has. 415 where it can only be downloaded.";

/** `/api/trials/:id/previews` and `/api/runs/:id/previews`: files as people look at them. */
export const previews = resource("Previews", "Files of trials and runs as documents that can do nothing.", {
  previewTrialArtifact: {
    at: "GET /api/trials/:id/previews/:path{.+}",
    summary: "Show a trial's file",
    description: SHOWS,
    path: { ...trialId, path },
    ...shared,
  },
  previewArtifact: {
    at: "GET /api/runs/:id/previews/:path{.+}",
    summary: "Show a run's file",
    description: SHOWS,
    path: { ...runId, path },
    ...shared,
  },
});
