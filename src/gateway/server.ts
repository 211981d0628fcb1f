import type { Deps } from "../relay/deps.ts";
import { remembered } from "../remembered.ts";
import { withDeadline } from "../waiting.ts";

/** What a client asks about the server itself. */

/** Whose API this is: what is answered while MLflow was never heard. */
const SPOKEN_VERSION = "3.17.2";
const VERSION = /^\d+\.\d+[\w.+-]*$/;
const ASK_MS = 1_000;
/** How long an answer, or none, is taken for granted. */
const KNOWN_MS = 60_000;

/** MLflow's version as this isolate last heard it. */
const heard = remembered(() => ({ version: SPOKEN_VERSION, until: 0 }));

/** MLflow's version, or the one whose API this is. */
export async function versionOf(deps: Pick<Deps, "mlflow" | "now">): Promise<string> {
  if (deps.now() < heard.value.until) return heard.value.version;
  heard.value.until = deps.now() + KNOWN_MS;
  const version = await askVersion(deps);
  if (version !== null) heard.value.version = version;
  return heard.value.version;
}

async function askVersion({ mlflow }: Pick<Deps, "mlflow">): Promise<string | null> {
  const request = {
    method: "GET",
    path: "/version",
    headers: new Headers(),
    body: null,
    patienceMs: ASK_MS,
  };
  try {
    const sent = await withDeadline(ASK_MS, mlflow.passOn(request));
    if (!sent.ok || sent.value.response.status !== 200) return null;
    const text = (await sent.value.response.text()).trim();
    return VERSION.test(text) ? text : null;
  } catch {
    return null;
  }
}

/** The answer to `server-info`: files go through the relay, large ones in parts where it has a bucket for them. */
export function serverInfo({ bucket }: Pick<Deps, "bucket">): object {
  return {
    store_type: "SqlStore",
    workspaces_enabled: false,
    trace_archival_enabled: false,
    multipart_uploads_enabled: bucket !== null,
    multipart_downloads_enabled: false,
    presigned_upload_run_id_supported: false,
    presigned_upload_model_id_supported: false,
    features_enabled: { gateway: false },
  };
}
