import { toWire } from "../domain/values.ts";
import type { RunShown } from "./shown-run.ts";

/** A run as `runs/create` and `runs/get` answer it: empty lists are left out. */
export function runAnswer(run: RunShown) {
  const params = run.params.toSorted(byKey);
  const tags = run.tags.toSorted(byKey);
  const metrics = run.metrics.toSorted(byKey);
  return {
    run: {
      info: infoOf(run),
      data: {
        ...(metrics.length === 0
          ? {}
          : { metrics: metrics.map((one) => ({ ...one, value: toWire(one.value) })) }),
        ...(params.length === 0 ? {} : { params }),
        ...(tags.length === 0 ? {} : { tags }),
      },
      inputs: {},
      outputs: {},
    },
  };
}

/** A run's own state as `runs/update` answers it. */
export function runInfoAnswer(run: RunShown) {
  return { run_info: infoOf(run) };
}

function infoOf(run: RunShown) {
  return {
    run_uuid: run.runId,
    experiment_id: run.experimentId,
    run_name: run.runName,
    user_id: run.userId,
    status: run.status,
    start_time: run.startTime,
    ...(run.endTime === null ? {} : { end_time: run.endTime }),
    artifact_uri: run.artifactUri,
    lifecycle_stage: run.lifecycleStage,
    run_id: run.runId,
  };
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : 1;
}
