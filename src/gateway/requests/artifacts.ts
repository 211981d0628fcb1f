import { artifactPathProblem, nameInMlflow } from "../../domain/artifact-path.ts";
import { ownerAt, segmentsIn, segmentsOf } from "../passing/path.ts";
import { invalid } from "../refusal.ts";

/** A file or directory below the root of a run or logged model, by whichever of its ids. "" is the root itself. */
export type ArtifactPlace = { ownerId: string; path: string };

/** Of an address below `/api/2.0/mlflow-artifacts/artifacts/`. */
const SEGMENTS_BEFORE = 4;

/**
 * What `mlflow-artifacts/artifacts/<experiment>/<run>/artifacts/<path>` names, or the same with `models/<model>`; null where
 * that is of neither.
 * @throws Refusal INVALID_PARAMETER_VALUE for a path that leads elsewhere
 */
export function readArtifactAddress(pathname: string): ArtifactPlace | null {
  return placeOf(segmentsOf(pathname).slice(SEGMENTS_BEFORE));
}

/** The same of a listing's `path`. */
export function readArtifactQuery(query: URLSearchParams): ArtifactPlace | null {
  return placeOf(segmentsIn(query.get("path") ?? ""));
}

/** A listing by a run's id. */
export function readListArtifacts(query: URLSearchParams): ArtifactPlace {
  const runId = query.get("run_id") || query.get("run_uuid");
  if (!runId)
    throw invalid(
      "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters.",
    );
  return { ownerId: runId, path: checked(segmentsIn(query.get("path") ?? "").join("/")) };
}

/** A directory of a logged model. */
export function readModelDirectory(ownerId: string, query: URLSearchParams): ArtifactPlace {
  const path = segmentsIn(query.get("artifact_directory_path") ?? "").join("/");
  return { ownerId, path: checked(path) };
}

/** A file by a run's id, as MLflow's own pages name it; null where it is not named, which MLflow answers. */
export function readRunFile(query: URLSearchParams): ArtifactPlace | null {
  const runId = query.get("run_id") || query.get("run_uuid");
  const path = query.get("path");
  return runId && path ? { ownerId: runId, path: checked(segmentsIn(path).join("/")) } : null;
}

/** What the segments below a store name; null where they are of no run or logged model. */
export function placeOf(segments: readonly string[]): ArtifactPlace | null {
  const at = ownerAt(segments);
  const ownerId = segments[at];
  if (ownerId === undefined) return null;
  return { ownerId, path: checked(segments.slice(at + 2).join("/")) };
}

/** As MLflow calls it. */
function checked(path: string): string {
  const name = nameInMlflow(path);
  if (name !== "" && artifactPathProblem(name) !== null) throw invalid("Invalid path");
  return name;
}
