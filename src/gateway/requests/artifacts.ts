import { artifactPathProblem } from "../../domain/artifact-path.ts";
import { runAt, segmentsIn, segmentsOf } from "../passing/path.ts";
import { invalid } from "../refusal.ts";

/** A file or directory below a run's root, by whichever of the run's ids. "" is the root itself. */
export type ArtifactPlace = { runId: string; path: string };

/** Of an address below `/api/2.0/mlflow-artifacts/artifacts/`. */
const SEGMENTS_BEFORE = 4;

/**
 * What `mlflow-artifacts/artifacts/<experiment>/<run>/artifacts/<path>` names; null where that is no run's.
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
  return { runId, path: checked(segmentsIn(query.get("path") ?? "").join("/")) };
}

function placeOf(segments: readonly string[]): ArtifactPlace | null {
  const at = runAt(segments);
  const runId = segments[at];
  if (runId === undefined) return null;
  return { runId, path: checked(segments.slice(at + 2).join("/")) };
}

function checked(path: string): string {
  if (path !== "" && artifactPathProblem(path) !== null) throw invalid("Invalid path");
  return path;
}
