import { chars } from "../../domain/limits.ts";
import { invalid } from "../refusal.ts";

const MAX_LOCATION_CHARS = 2048;

/** The parts of a URL as Python's `urlparse` cuts them. */
const URL_PARTS = /^(?:([a-z][a-z\d+.-]*):)?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;
/** Schemes whose last part of a path may have parameters, by `urllib.parse.uses_params`; "" is a bare path. */
const WITH_PARAMS = new Set([
  "",
  "ftp",
  "hdl",
  "prospero",
  "http",
  "https",
  "shttp",
  "rtsp",
  "rtsps",
  "rtspu",
  "sip",
  "sips",
  "mms",
  "sftp",
  "tel",
]);

/**
 * Which hosts it connects to is a setting of each MLflow, and so not asked here.
 * @throws Refusal for what no MLflow takes as the place of an experiment's artifacts (mlflow/server/handlers.py)
 */
export function checkLocation(location: string): void {
  const [, scheme = "", path = "", query = "", fragment = ""] = URL_PARTS.exec(location) ?? [];
  const last = path.slice(path.lastIndexOf("/") + 1);
  if (fragment !== "" || (WITH_PARAMS.has(scheme.toLowerCase()) && /;./.test(last)))
    throw invalid("'artifact_location' URL can't include fragments or params.");
  if (decoded(query).includes("..")) throw invalid("Invalid query string");
  if (location.startsWith("runs:"))
    throw invalid(`Artifact location cannot be a runs:/ URI. Given: '${location}'`);
  if (chars(location) > MAX_LOCATION_CHARS)
    throw invalid(
      `Invalid artifact path length. The length of the artifact path cannot be greater than ${MAX_LOCATION_CHARS} characters.` +
        " To configure this limit, please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable.",
    );
}

/** With escapes within escapes read as well, as far as dots are concerned. */
function decoded(query: string): string {
  const once = query.replace(/%2e/gi, ".").replaceAll("%25", "%");
  return once === query ? once : decoded(once);
}
