import type * as z from "zod";
import { compact, Findings, presentFields, presentTags } from "./facts.ts";
import { isMap } from "./flatten.ts";
import { cut, keyProblem, MAX_RUN_NAME_CHARS } from "./limits.ts";
import { type FieldProblem, invalid, missing, shown } from "./problems.ts";
import * as schema from "./schemas.ts";
import { EVENT_TYPES, type EventType, type Facts, type TerminalStatus } from "./types.ts";
import { toWire, type WireNumber } from "./values.ts";

/** A body that was found good. `occurredAt` is null when the trainer gave no time of its own. */
export type CheckedEvent = {
  type: EventType;
  eventId: string | null;
  occurredAt: number | null;
  correlationId: string | null;
  modelRunId: string;
  trialId: string | null;
  facts: Facts | null;
  points: { key: string; value: WireNumber; step: number }[];
  /** True when the body carries a step of its own: then the same body again is a repeat. */
  hasStep: boolean;
  warnings: string[];
};

/** Why a body was refused, with the original's error names (reference: MLEventsController). */
export type Rejection = {
  status: 400 | 409 | 413 | 422;
  error:
    | "invalid_json"
    | "validation_failed"
    | "unknown_event_type"
    | "event_construction_failed"
    | "event_too_large"
    | "event_id_conflict";
  problems: FieldProblem[];
  received?: unknown;
};

export type Checked = { ok: true; event: CheckedEvent } | { ok: false; rejection: Rejection };

/** Checks one flat event body and normalises it. Pure. */
export function checkEvent(input: unknown): Checked {
  if (!isMap(input))
    return refuse(400, "validation_failed", [invalid(["event"], "must be a JSON object", input)]);
  // A null says as little as an absent field; Python clients send None for what they do not have.
  const body = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
  if (body.event === undefined) return refuse(400, "validation_failed", [missing("event")]);
  if (typeof body.event !== "string")
    return refuse(400, "validation_failed", [invalid(["event"], "must be a string", body.event)]);
  const type = EVENT_TYPES.find((known) => known === body.event);
  if (!type) {
    const problem = invalid(["event"], `must be one of ${EVENT_TYPES.join(", ")}`, body.event);
    return {
      ok: false,
      rejection: { status: 400, error: "unknown_event_type", problems: [problem], received: body.event },
    };
  }
  const findings = new Findings();
  const read = readers[type](body, findings);
  if (!read.ok) return refuseIssues(read.issues, body);
  if (findings.problems.length > 0) return refuse(422, "event_construction_failed", findings.problems);
  const known = new Set(Object.keys(schema.schemas[type].shape));
  const unknown = Object.keys(body).filter((name) => !known.has(name));
  const warnings = [
    ...unknown.map((name) => `${shown(name)} is not a field of ${type} and was ignored`),
    ...findings.warnings,
  ];
  return { ok: true, event: { ...read.event, type, warnings } };
}

type Read =
  | { ok: true; event: Omit<CheckedEvent, "type" | "warnings"> }
  | { ok: false; issues: z.core.$ZodIssue[] };
type Body = Record<string, unknown>;

/** A reader: parses by the schema, then says what the event means. */
function reader<S extends z.ZodObject>(
  shape: S,
  meaning: (event: z.output<S>, findings: Findings, body: Body) => Omit<CheckedEvent, "type" | "warnings">,
): (body: Body, findings: Findings) => Read {
  return (body, findings) => {
    const parsed = shape.safeParse(body);
    if (!parsed.success) return { ok: false, issues: parsed.error.issues };
    return { ok: true, event: meaning(parsed.data, findings, body) };
  };
}

type Envelope = {
  event_id?: string | undefined;
  occurred_at?: number | undefined;
  correlation_id?: string | undefined;
  actor?: { id?: string | number | undefined } | undefined;
  metadata?: Record<string, unknown> | undefined;
  model_run_id: string;
  trial_id?: string;
  step?: number | undefined;
};

function envelope(event: Envelope) {
  return {
    eventId: event.event_id ?? null,
    occurredAt: event.occurred_at ?? null,
    correlationId: event.correlation_id ?? null,
    modelRunId: event.model_run_id,
    trialId: event.trial_id ?? null,
    hasStep: event.step !== undefined,
  };
}

/** Who runs it, for mlflow.user: the metadata's `user_id` (the original's place for it), else the actor. */
function user(event: Envelope): string | undefined {
  const id = event.metadata?.user_id ?? event.actor?.id;
  return typeof id === "string" || typeof id === "number" ? cut(String(id), MAX_RUN_NAME_CHARS) : undefined;
}

function toPoints(metrics: Record<string, WireNumber>, step: number) {
  return Object.entries(metrics).map(([key, value]) => ({ key, value, step }));
}

const readRunStart = reader(schema.runStart, (event, findings) => {
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
      fields: presentFields({
        ...counts,
        experiment_name: event.experiment_name,
        run_name: event.run_name,
        metadata: event.metadata,
        user: user(event),
      }),
      params: presentTags(counts),
      tags: findings.metadataTags(event.metadata),
    }),
  };
});

const RUN_STATES = { completed: "succeeded", failed: "failed", cancelled: "cancelled" } as const;

const readRunStop = reader(schema.runStop, (event, findings) => {
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

const readRunMetric = reader(schema.runMetric, (event, findings) => {
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

const readTrialStart = reader(schema.trialStart, (event, findings) => ({
  ...envelope(event),
  points: [],
  facts: compact({
    announces: true,
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
    tags: {
      ...presentTags({ spectral_norm: event.spectral_norm, candidate_id: event.candidate_id }),
      ...findings.metadataTags(event.metadata),
    },
  }),
}));

type TrialEnd = Envelope & {
  mlflow_run_id?: string | undefined;
  parameters?: Record<string, unknown> | undefined;
  metrics?: Record<string, unknown> | undefined;
};

/** What all ends of a trial share; `said` are the fields of this kind of end, most of which are tags too. */
function trialEnd(
  ends: TerminalStatus,
  event: TrialEnd,
  findings: Findings,
  said: Record<string, unknown>,
  tagged: Record<string, unknown>,
) {
  const metrics = findings.metrics("metrics", event.metrics);
  return {
    ...envelope(event),
    points: event.step === undefined ? [] : toPoints(metrics, event.step),
    facts: compact({
      announces: true,
      ends,
      fields: presentFields({
        ...tagged,
        ...said,
        mlflow_run_id: event.mlflow_run_id,
        end_metadata: event.metadata,
      }),
      params: findings.params(event.parameters),
      tags: { ...presentTags(tagged), ...findings.metadataTags(event.metadata) },
      ...(event.step === undefined ? { finals: metrics } : {}),
    }),
  };
}

const readTrialComplete = reader(schema.trialComplete, (event, findings) =>
  trialEnd(
    "succeeded",
    event,
    findings,
    { bridge_payload: event.bridge_payload },
    {
      spectral_norm: event.spectral_norm,
      candidate_id: event.candidate_id,
      pulse_id: event.pulse_id,
      duration_ms: event.duration_ms,
      artifact_uri: event.artifact_uri,
      rank: event.rank,
      warnings: event.warnings,
    },
  ),
);

const readTrialFailed = reader(schema.trialFailed, (event, findings) =>
  trialEnd(
    "failed",
    event,
    findings,
    {},
    {
      spectral_norm: event.spectral_norm,
      candidate_id: event.candidate_id,
      pulse_id: event.pulse_id,
      duration_ms: event.duration_ms,
      error_message: event.error_message,
      error_type: event.error_type,
      stacktrace: event.stacktrace,
    },
  ),
);

function readTrialStopped(ends: TerminalStatus) {
  return reader(schema.trialSkipped, (event, findings) =>
    trialEnd(
      ends,
      event,
      findings,
      {},
      {
        spectral_norm: event.spectral_norm,
        candidate_id: event.candidate_id,
        pulse_id: event.pulse_id,
        duration_ms: event.duration_ms,
        error_message: event.error_message,
      },
    ),
  );
}

const readers: Record<EventType, (body: Body, findings: Findings) => Read> = {
  "ml.run.start": readRunStart,
  "ml.run.stop": readRunStop,
  "ml.run.metric": readRunMetric,
  "ml.trial.start": readTrialStart,
  "ml.trial.complete": readTrialComplete,
  "ml.trial.failed": readTrialFailed,
  "ml.trial.skipped": readTrialStopped("skipped"),
  "ml.trial.cancelled": readTrialStopped("cancelled"),
};

function refuse(status: 400 | 422, error: Rejection["error"], problems: FieldProblem[]): Checked {
  // The original answers 400 for what is absent and 422 for what is wrong; absence is said first.
  const absent = problems.filter((problem) => problem.missing);
  if (absent.length > 0)
    return { ok: false, rejection: { status: 400, error: "validation_failed", problems: absent } };
  return { ok: false, rejection: { status, error, problems } };
}

function refuseIssues(issues: z.core.$ZodIssue[], body: Body): Checked {
  const problems = issues.map((issue): FieldProblem => {
    const [name] = issue.path;
    const value = issue.path.reduce<unknown>(
      (node, part) => (isMap(node) || Array.isArray(node) ? Reflect.get(node, part) : undefined),
      body,
    );
    return issue.path.length === 1 && value === undefined
      ? missing(String(name))
      : invalid(issue.path, issue.message, value);
  });
  return refuse(422, "event_construction_failed", problems);
}
