import * as z from "zod";
import { MODEL_ARTIFACT_STATUSES } from "../domain/words.ts";
import { count, maybeText, maybeTime, nextCursor } from "./parts.ts";

/** What is shown of a trial's files. */

export const ARTIFACT_STATES = ["waiting", "blocked", "delivered", "mlflow"] as const;

export const artifactView = z
  .object({
    path: z.string().describe("From the run's root."),
    is_dir: z.boolean(),
    bytes: count.nullable().describe("Null for a directory, and where MLflow does not tell."),
    sha256: maybeText.describe("Null for a directory, and where only MLflow has the file."),
    content_type: maybeText.describe("As it was given, else by the end of the name."),
    version: count.nullable().describe("Counts the file's changes."),
    state: z
      .enum(ARTIFACT_STATES)
      .nullable()
      .describe("How far it is on its way to MLflow; `mlflow`: it is there only. Null for a directory."),
    error: maybeText.describe("Why it is not in MLflow yet, and what to do where it is blocked."),
    updated_at: maybeTime,
    delivered_at: maybeTime,
  })
  .meta({ id: "Artifact" });
export type ArtifactView = z.output<typeof artifactView>;

export const trialArtifacts = z
  .object({
    files: z.array(artifactView),
    mlflow: z
      .enum(["listed", "away", "none"])
      .describe("Whether what only MLflow has is among them; `none`: there is no run in it yet."),
    next_cursor: nextCursor,
  })
  .meta({ id: "TrialArtifacts" });

export const modelArtifactView = z
  .object({
    id: z.string().describe("As in its tags in MLflow, `model_artifact.<id>.status` and so on."),
    uri: maybeText.describe("Null until its creation is told."),
    checksum: maybeText,
    bytes: count.nullable(),
    status: z.enum(MODEL_ARTIFACT_STATUSES),
    semver: z.string(),
    spec_id: maybeText,
  })
  .meta({ id: "ModelArtifact" });

export const modelArtifacts = z
  .object({ model_artifacts: z.array(modelArtifactView) })
  .meta({ id: "ModelArtifacts" });

export const removedArtifacts = z
  .object({
    removed: count.describe("How many files, those that only MLflow had too."),
    complete: z
      .boolean()
      .describe(
        "False: MLflow could not be asked just now, so that files which only it has may still be there.",
      ),
  })
  .meta({ id: "RemovedArtifacts" });
