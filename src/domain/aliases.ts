import type * as z from "zod";
import type { Findings } from "./facts.ts";
import { nearest } from "./nearest.ts";
import { inForm } from "./side-fields.ts";
import type { EventType } from "./types.ts";

/** Other words for an event's type. A search that prunes a trial passes over it. */
const TYPES: Record<string, EventType> = {
  "ml.trial.pruned": "ml.trial.skipped",
  "ml.trial.canceled": "ml.trial.cancelled",
};

/** The type that a word stands for, where it is not a type's own. */
export function typeMeant(word: string): EventType | undefined {
  return Object.hasOwn(TYPES, word) ? TYPES[word] : undefined;
}

/**
 * Words that users of MLflow, W&B and Optuna write, or that the original stamped itself, each with the field that it
 * can only stand for in an event which has that field; a time that is named after an event, in that event alone. What
 * comes first is preferred.
 */
const FIELDS: readonly (readonly [word: string, field: string, only?: readonly EventType[]])[] = [
  ["params", "parameters"],
  ["hyperparameters", "parameters"],
  ["hyperparams", "parameters"],
  ["hparams", "parameters"],
  ["experiment", "experiment_name"],
  ["name", "run_name"],
  ["name", "metric_name"],
  ["key", "metric_name"],
  ["metric", "metrics"],
  ["metric", "metric_name"],
  ["value", "metric_value"],
  ["timestamp", "occurred_at"],
  ["started_at", "occurred_at", ["ml.run.start", "ml.trial.start"]],
  ["recorded_at", "occurred_at", ["ml.run.metric"]],
  ["completed_at", "occurred_at", ["ml.trial.complete"]],
  ["failed_at", "occurred_at", ["ml.trial.failed"]],
  ["finished_at", "occurred_at", ["ml.run.stop"]],
  ["global_step", "step"],
  ["epoch", "step"],
  ["study_name", "model_run_id"],
  ["study_id", "model_run_id"],
  ["study", "model_run_id"],
  ["trial_number", "trial_id"],
  ["trial", "trial_id"],
  ["n_trials", "requested_trials"],
  ["status", "state"],
  ["best_value", "best_metric"],
  ["best_trial", "best_trial_id"],
  ["error", "error_message"],
  ["traceback", "stacktrace"],
];

/**
 * The body in the documented words. A word that stands for one is taken as that, since a run that is made without it
 * cannot be mended; the documented word itself wins, and what the field could not hold is not taken as it. All else
 * that the event does not have is left out. Each is a warning.
 */
export function inDocumentedWords(
  body: Record<string, unknown>,
  type: EventType,
  shape: Record<string, z.ZodType>,
  findings: Findings,
): Record<string, unknown> {
  const said: Record<string, unknown> = {};
  const others = new Map<string, unknown>();
  for (const [name, value] of Object.entries(body))
    if (Object.hasOwn(shape, name)) said[name] = value;
    else others.set(name, value);
  if (others.size === 0) return said;
  const meanings = FIELDS.filter(
    ([, name, only]) => Object.hasOwn(shape, name) && (only?.includes(type) ?? true),
  );
  for (const [word, name] of meanings) {
    const schema = shape[name];
    const value = others.get(word);
    if (schema === undefined || value === undefined || name in said) continue;
    if (inForm(schema, value) === undefined) continue;
    said[name] = value;
    others.delete(word);
    findings.warn([word], value, `is written ${name}`, "renamed");
  }
  for (const [word, value] of others) {
    const rule = findings.isFull ? "" : unknownRule(word);
    findings.warn([word], value, rule, "left_out");
  }
  return said;

  function unknownRule(word: string): string {
    const meant = meanings.find(([other]) => other === word)?.[1];
    const near = meant ?? nearest(word, Object.keys(shape));
    const notAField = `is not a field of ${type}`;
    if (near === null) return notAField;
    return near in said ? `${notAField}, which has ${near} as well` : `${notAField}; did you mean ${near}?`;
  }
}
