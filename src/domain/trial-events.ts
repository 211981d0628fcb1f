import { compact, type Findings, presentFields } from "./facts.ts";
import { type Envelope, envelope, reader, toPoints, user } from "./reading.ts";
import * as schema from "./schemas.ts";
import type { TerminalStatus } from "./types.ts";

/** What the ml.trial.* events mean. */

export const readTrialStart = reader(schema.trialStart, (event, findings) => ({
  ...envelope(event),
  points: [],
  facts: compact({
    announces: true,
    starts: true,
    ...(event.resume ? { resumes: true } : {}),
    fields: presentFields({
      spectral_norm: event.spectral_norm,
      mlflow_run_id: event.mlflow_run_id,
      candidate_id: event.candidate_id,
      experiment_name: event.experiment_name,
      run_name: event.run_name,
      metadata: event.metadata,
      user: user(event),
    }),
    params: findings.params(event.parameters),
    tags: findings.tags(event, { spectral_norm: event.spectral_norm, candidate_id: event.candidate_id }),
  }),
}));

type TrialEnd = Envelope & {
  spectral_norm?: boolean | undefined;
  candidate_id?: string | undefined;
  pulse_id?: string | undefined;
  duration_ms?: number | undefined;
  mlflow_run_id?: string | undefined;
  parameters?: Record<string, unknown> | undefined;
  metrics?: Record<string, unknown> | undefined;
  tags?: Record<string, unknown> | undefined;
  description?: string | undefined;
};

/** What all ends of a trial share. `tagged` are this kind's own fields that are tags too, `given` those that are not. */
function trialEnd(
  ends: TerminalStatus,
  event: TrialEnd,
  findings: Findings,
  tagged: Record<string, unknown>,
  given: Record<string, unknown> = {},
) {
  const { spectral_norm, candidate_id, pulse_id, duration_ms } = event;
  const allTagged = { spectral_norm, candidate_id, pulse_id, duration_ms, ...tagged };
  const metrics = findings.metrics(event.metrics);
  return {
    ...envelope(event),
    points: event.step === undefined ? [] : toPoints(metrics, event.step),
    facts: compact({
      announces: true,
      ends,
      fields: presentFields({
        ...allTagged,
        ...given,
        mlflow_run_id: event.mlflow_run_id,
        end_metadata: event.metadata,
      }),
      params: findings.params(event.parameters),
      tags: findings.tags(event, allTagged),
      ...(event.step === undefined ? { finals: metrics } : {}),
    }),
  };
}

export const readTrialComplete = reader(schema.trialComplete, (event, findings) => {
  const { artifact_uri, rank, warnings, bridge_payload } = event;
  return trialEnd("succeeded", event, findings, { artifact_uri, rank, warnings }, { bridge_payload });
});

export const readTrialFailed = reader(schema.trialFailed, (event, findings) => {
  const { error_message, error_type, stacktrace } = event;
  return trialEnd("failed", event, findings, { error_message, error_type, stacktrace });
});

/** A reader for the ends that the original had no event for. */
export function readTrialStopped(ends: "skipped" | "cancelled") {
  return reader(schema.trialSkipped, (event, findings) =>
    trialEnd(ends, event, findings, { error_message: event.error_message }),
  );
}
