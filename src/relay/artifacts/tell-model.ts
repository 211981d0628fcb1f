import { encodedPath } from "../../domain/artifact-path.ts";
import { checkEvent } from "../../domain/events.ts";
import type { Artifact } from "../../store/artifacts/files.ts";
import type { Deps } from "../deps.ts";
import { identify } from "../intake/identify.ts";
import { ingest } from "../intake/ingest.ts";

/**
 * Tells of a file that it is a model, as its trainer would by `ml.artifact.created`; the same again changes nothing.
 * @returns whether that is kept
 */
export async function tellModel(
  deps: Deps,
  trial: { key: string; modelRunId: string; trialId: string },
  { id, path, version, sha256, bytes }: Artifact,
  semver: string,
): Promise<boolean> {
  const body = {
    event: "ml.artifact.created",
    event_id: `upload:${id}:${version}:${semver}`,
    model_run_id: trial.modelRunId,
    trial_id: trial.trialId,
    uri: `/api/trials/${trial.key}/artifacts/${encodedPath(path)}`,
    checksum: `sha256:${sha256}`,
    bytes,
    semver,
  };
  const now = deps.now();
  const checked = checkEvent(body, now);
  // Its URI may be longer than a model's may be.
  if (!checked.ok) return false;
  const event = await identify({ event: checked.event, body, index: 0 }, null, now);
  const { kept } = await ingest(deps, [event]);
  return kept === "journal" || kept === "queue";
}
