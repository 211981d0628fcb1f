import type * as z from "zod";
import { compact, type Findings, presentFields, presentTexts } from "./facts.ts";
import { keyProblem } from "./limits.ts";
import { invalid, missing } from "./problems.ts";
import { envelope, reader, toPoints, user } from "./reading.ts";
import * as schema from "./schemas.ts";
import { toWire, type WireNumber } from "./values.ts";

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
      params: presentTexts(counts),
      tags: findings.tags(event, {}),
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
      tags: findings.tags(event, {
        completed_trials: event.completed_trials,
        best_trial_id: event.best_trial_id,
        error_message: event.error_message,
      }),
      ...(best === undefined ? {} : { finals: { best_metric: best } }),
    }),
  };
});

export const readRunMetric = reader(schema.runMetric, (event, findings) => ({
  ...envelope(event),
  points: toPoints(metricsOf(event, findings), event.step ?? 0),
  facts: compact({
    tags: findings.fieldTags({ spectral_norm: event.spectral_norm }),
    fields: presentFields({ spectral_norm: event.spectral_norm }),
    ...(event.metadata ? { about: presentFields(event.metadata) } : {}),
  }),
}));

/** All metrics of the event, by either way of naming them. There is at least one, or a problem. */
function metricsOf(
  event: Pick<z.output<typeof schema.runMetric>, "metrics" | "metric_name" | "metric_value">,
  findings: Findings,
): Record<string, WireNumber> {
  const { metric_name: name, metric_value: value } = event;
  const metrics = findings.metrics(event.metrics);
  if (name !== undefined && value !== undefined) {
    const problem = Object.hasOwn(metrics, name) ? "is given twice, in metrics as well" : keyProblem(name);
    if (problem !== null) findings.warn(["metric_name"], name, problem, "left_out");
    const number = problem === null ? findings.metric(["metric_value"], value) : undefined;
    if (number !== undefined) metrics[name] = number;
  }
  if (Object.keys(metrics).length > 0) {
    if (value === undefined && name !== undefined)
      findings.warn(["metric_name"], name, "must have a metric_value", "left_out");
    if (name === undefined && value !== undefined)
      findings.warn(["metric_value"], value, "must have a metric_name", "left_out");
    return metrics;
  }
  findings.refuse(/^(metrics|metric_name|metric_value)(\.|$)/);
  if (findings.problems.length > 0) return metrics;
  if (event.metrics !== undefined || (name !== undefined && value !== undefined))
    findings.problems.push(invalid(["metrics"], "must hold at least one metric", event.metrics));
  else {
    if (name === undefined) findings.problems.push(missing("metric_name"));
    if (value === undefined) findings.problems.push(missing("metric_value"));
  }
  return metrics;
}
