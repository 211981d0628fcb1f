import type * as z from "zod";
import { inDocumentedWords, typeMeant } from "./aliases.ts";
import { readArtifactCreated, readArtifactMoved } from "./artifact-events.ts";
import { Findings } from "./facts.ts";
import { isMap, valueAt } from "./flatten.ts";
import type { NumberTexts } from "./json.ts";
import type { Doubled } from "./json-names.ts";
import { type FieldProblem, invalid, MAX_SAID, missing } from "./problems.ts";
import type { Body, CheckedEvent, Read } from "./reading.ts";
import { readRunMetric, readRunStart, readRunStop } from "./run-events.ts";
import { schemas } from "./schemas.ts";
import { clockProblem } from "./times.ts";
import { readTrialComplete, readTrialFailed, readTrialStart, readTrialStopped } from "./trial-events.ts";
import { EVENT_TYPES, type EventType } from "./types.ts";

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
  /** How many more problems there were. */
  more?: number;
  received?: string;
};

export type Checked = { ok: true; event: CheckedEvent } | { ok: false; rejection: Rejection };

/**
 * Checks one flat event body and normalises it. Pure.
 * @param now epoch milliseconds, for what is a plausible time
 * @param texts of the body's numbers, where they are not what JavaScript writes
 * @param doubled what its text had more than once
 */
export function checkEvent(
  input: unknown,
  now: number,
  texts: NumberTexts = new Map(),
  doubled?: Doubled,
): Checked {
  if (!isMap(input))
    return refuse(400, "validation_failed", [invalid(["event"], "must be a JSON object", input)]);
  // A null says as little as an absent field; Python clients send None for what they do not have.
  const body = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
  if (body.event === undefined) return refuse(400, "validation_failed", [missing("event")]);
  if (typeof body.event !== "string")
    return refuse(400, "validation_failed", [invalid(["event"], "must be a string", body.event)]);
  const word = body.event;
  const type = EVENT_TYPES.find((known) => known === word) ?? typeMeant(word);
  if (!type) {
    const problem = invalid(["event"], `must be one of ${EVENT_TYPES.join(", ")}`, body.event);
    return {
      ok: false,
      rejection: { status: 400, error: "unknown_event_type", problems: [problem], received: body.event },
    };
  }
  const findings = new Findings(texts);
  if (doubled) findings.doubled(doubled, input);
  if (word !== type) findings.warn(["event"], word, `is written ${type}`, "renamed");
  const said = inDocumentedWords(body, type, schemas[type].shape, findings);
  const read = readers[type](said, findings);
  if (!read.ok) return refuseIssues(read.issues, said);
  const { occurredAt } = read.event;
  const clock = occurredAt === null ? null : clockProblem(occurredAt, now);
  if (clock !== null) findings.problems.push(invalid(["occurred_at"], clock, said.occurred_at));
  if (findings.problems.length > 0)
    return refuse(422, "event_construction_failed", findings.problems, findings.moreProblems);
  return { ok: true, event: { ...read.event, type, warnings: findings.warnings, unsaid: findings.unsaid } };
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
  "ml.artifact.created": readArtifactCreated,
  "ml.artifact.promoted": readArtifactMoved("promoted"),
  "ml.artifact.archived": readArtifactMoved("archived"),
};

function refuse(
  status: 400 | 422,
  error: Rejection["error"],
  problems: readonly FieldProblem[],
  unsaid = 0,
): Checked {
  // The original answers 400 for what is absent and 422 for what is wrong; absence is said first.
  const absent = problems.filter((problem) => problem.missing);
  if (absent.length > 0)
    return { ok: false, rejection: { status: 400, error: "validation_failed", problems: absent } };
  const more = unsaid + Math.max(0, problems.length - MAX_SAID);
  const said = problems.slice(0, MAX_SAID);
  return { ok: false, rejection: { status, error, problems: said, ...(more > 0 ? { more } : {}) } };
}

function refuseIssues(issues: z.core.$ZodIssue[], body: Body): Checked {
  const problems = issues.map((issue): FieldProblem => {
    const [name] = issue.path;
    const value = valueAt(body, issue.path);
    return issue.path.length === 1 && value === undefined
      ? missing(String(name))
      : invalid(issue.path, issue.message, value);
  });
  return refuse(422, "event_construction_failed", problems);
}
