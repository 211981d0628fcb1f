import type { Scope } from "../../domain/words.ts";

/** What is passed on to MLflow, and what it is to whom. */

/** Addresses that are passed on, with everything below them where they end in a slash, beside what is answered here. */
export const PASSED_PATHS = [
  "/api/2.0/mlflow/",
  "/api/3.0/mlflow/",
  "/api/2.0/mlflow-artifacts/",
  "/ajax-api/2.0/mlflow/",
  "/ajax-api/3.0/mlflow/",
  "/ajax-api/2.0/mlflow-artifacts/",
  "/v1/traces",
  "/get-artifact",
  "/model-versions/get-artifact",
  "/graphql",
] as const;

/** The methods of MLflow's API. */
export const PASSED_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

export type Endpoint = {
  scope: Scope;
  /** False for what is no address of the relay's, whether MLflow is there or not. */
  isPassed: boolean;
  /** How its body is read: JSON with ids in it, or bytes that nobody looks into. */
  body: "json" | "bytes";
  /** Where in its segments the path of an artifact begins; null where it has none. */
  artifactAt: number | null;
};

/**
 * Who MLflow's users are, what they may, its keys, whom it calls, what it runs and what it does by itself: nothing for a
 * trainer, who has the relay's rights there.
 */
const ADMINISTRATION = new Set([
  "assistant",
  "demo",
  "gateway",
  "gateway-proxy",
  "genai",
  "invoke",
  "jobs",
  "online-config",
  "permissions",
  "prompt-optimization",
  "roles",
  "users",
  "webhooks",
  "workspaces",
]);

/** What is asked by POST and changes nothing. */
const QUESTIONS = new Set([
  "search",
  "search-datasets",
  "batchGetInfos",
  "calculate-filter-correlation",
  "metrics",
  "get-latest-versions",
  "graphql",
]);

/** What goes past the relay: a file's parts and storage of its own. */
const DIRECT_STORAGE = new Set(["mpu", "presigned", "presigned-upload-url", "presigned-download-url"]);

/**
 * What a request to one of the addresses is.
 * @param segments of its path, decoded
 */
export function endpointOf(method: string, segments: readonly string[]): Endpoint {
  const isArtifacts = segments[2] === "mlflow-artifacts";
  const [name = ""] = segments.slice(3);
  const last = segments.at(-1) ?? "";
  const isRead = method === "GET" || method === "HEAD" || (method === "POST" && QUESTIONS.has(last));
  const isAdministration = !isArtifacts && segments.slice(3, 5).some((part) => ADMINISTRATION.has(part));
  const isUpload =
    (isArtifacts && method === "PUT") ||
    (method === "POST" && (last === "upload-artifact" || segments.join("/") === "v1/traces"));
  return {
    scope: isAdministration ? "admin" : isRead ? "read" : "ingest",
    isPassed: !DIRECT_STORAGE.has(isArtifacts ? name : last),
    body: isUpload ? "bytes" : "json",
    artifactAt: isArtifacts && name === "artifacts" ? 4 : null,
  };
}
