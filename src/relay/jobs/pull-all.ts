import { streamByKey } from "../../store/delivery/streams.ts";
import { pullStream } from "../follow/pull.ts";
import { BUSY, BUSY_SNOOZE_MS, NO_STREAM } from "./deliver-all.ts";
import type { JobHandler } from "./step.ts";

/** `sync_mlflow_to_trial`: takes over what was changed in MLflow, once. */
export const syncMlflowToTrial: JobHandler = async (deps, job) => {
  const stream = await streamByKey(deps.db, job.target);
  if (!stream) return { kind: "cancel", reason: NO_STREAM };
  const pulled = await pullStream(deps, stream.id, null);
  switch (pulled.kind) {
    case "same":
      return { kind: "done", counts: { changed: 0 } };
    case "merged":
      return { kind: "done", counts: { accepted: pulled.accepted, conflicts: pulled.conflicts } };
    case "no run":
      return {
        kind: "cancel",
        reason: `the ${stream.kind === "trial" ? "trial" : "model run"} has no MLflow run yet`,
      };
    case "gone":
      return { kind: "cancel", reason: `MLflow does not know the run ${pulled.runId} any more` };
    case "busy":
      return { kind: "snooze", ms: Math.min(pulled.ms, BUSY_SNOOZE_MS), error: BUSY };
    case "failed":
      return pulled;
  }
};
