import { compact, presentFields, presentTags } from "./facts.ts";
import { keyProblem } from "./limits.ts";
import { invalid, missing } from "./problems.ts";
import { envelope, reader, toPoints, user } from "./reading.ts";
import * as schema from "./schemas.ts";
import { toWire } from "./values.ts";

/** What the ml.run.* events mean. */

export const readRunStart = reader(schema.runStart, (event, findings) => {
  const counts = {
    requested_trials: event.requested_trials,
    search_space_version: event.search_space_version,
    max_params: event.max_params,
  };
  return {
    ...envelope(event),
    points: [],
    facts: compact({
      announces: true,
      starts: true,
      fields: presentFields({
        ...counts,
        experiment_name: event.experiment_name,
        run_name: event.run_name,
        metadata: event.metadata,
        user: user(event),
      }),
      params: presentTags(counts),
      tags: { ...findings.ownTags(event), ...findings.metadataTags(event.metadata) },
    }),
  };
});

const RUN_STATES = { completed: "succeeded", failed: "failed", cancelled: "cancelled" } as const;

export const readRunStop = reader(schema.runStop, (event, findings) => {
  const best = event.best_metric === undefined ? undefined : toWire(event.best_metric);
  return {
    ...envelope(event),
    points: [],
    facts: compact({
      announces: true,
      ends: RUN_STATES[event.state],
      fields: presentFields({
        completed_trials: event.completed_trials,
        best_metric: best,
        best_trial_id: event.best_trial_id,
        error_message: event.error_message,
        stop_metadata: event.metadata,
      }),
      tags: {
        ...findings.ownTags(event),
        ...presentTags({
          completed_trials: event.completed_trials,
          best_trial_id: event.best_trial_id,
          error_message: event.error_message,
        }),
        ...findings.metadataTags(event.metadata),
      },
      ...(best === undefined ? {} : { finals: { best_metric: best } }),
    }),
  };
});

export const readRunMetric = reader(schema.runMetric, (event, findings) => {
  const single = event.metric_name !== undefined || event.metric_value !== undefined;
  if (single || !event.metrics) {
    if (event.metric_name === undefined) findings.problems.push(missing("metric_name"));
    if (event.metric_value === undefined) findings.problems.push(missing("metric_value"));
  }
  const metrics = findings.metrics("metrics", event.metrics);
  if (event.metrics && Object.keys(event.metrics).length === 0)
    findings.problems.push(invalid(["metrics"], "must hold at least one metric", event.metrics));
  if (event.metric_name !== undefined && event.metric_value !== undefined) {
    const problem = Object.hasOwn(metrics, event.metric_name)
      ? "is given twice, in metrics as well"
      : keyProblem(event.metric_name);
    if (problem) findings.problems.push(invalid(["metric_name"], problem, event.metric_name));
    metrics[event.metric_name] = toWire(event.metric_value);
  }
  return {
    ...envelope(event),
    points: toPoints(metrics, event.step ?? 0),
    facts: compact({
      tags: presentTags({ spectral_norm: event.spectral_norm }),
      fields: presentFields({ spectral_norm: event.spectral_norm }),
      ...(event.metadata ? { about: presentFields(event.metadata) } : {}),
    }),
  };
});
