import type { Json } from "./action-body.ts";

/** What an answer of the API says was, or would be, done: in words, one line each. */

type Answer = { [name: string]: Json | undefined };

const MAX_LINES = 12;

const isAnswer = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const answersIn = (value: Json | undefined) => (Array.isArray(value) ? value.filter(isAnswer) : []);
const text = (value: Json | undefined) => (typeof value === "string" ? value : JSON.stringify(value ?? null));

/** The lines for an answer; of long lists the first few and how many more there are. */
export function linesOf(answer: Json): string[] {
  if (!isAnswer(answer)) return [];
  const lines = linesOfAnswer(answer);
  const more = lines.length - MAX_LINES;
  return more > 0 ? [...lines.slice(0, MAX_LINES), `and ${more} more`] : lines;
}

function linesOfAnswer(answer: Answer): string[] {
  if (Array.isArray(answer.changes)) return answersIn(answer.changes).map(changeLine);
  if (Array.isArray(answer.not_done)) return resolvedLines(answer);
  if (Array.isArray(answer.sample)) return lettersLines(answer);
  if (Array.isArray(answer.results)) return backfillLines(answer);
  if (typeof answer.token === "string") return ["The token, which is shown only here:", answer.token];
  if (typeof answer.message === "string") return [answer.message];
  if (typeof answer.reads === "string")
    return [
      `MLflow: reads ${answer.reads}, writes ${text(answer.writes)}`,
      ...(answer.error === null ? [] : [text(answer.error)]),
    ];
  return ["Done."];
}

function changeLine(change: Answer): string {
  switch (change.change) {
    case "restore_experiment":
      return `Restore the experiment ${text(change.name)} in MLflow, which frees ${text(change.also_frees)} others too`;
    case "restore_run":
      return `Restore the run ${text(change.run_id)} in MLflow`;
    case "new_run":
      return change.instead_of === null
        ? "Make a new run"
        : `Make a new run instead of ${text(change.instead_of)}`;
    case "refuse_run":
      return `Take no notice of the run ${text(change.run_id)}, and make one`;
    case "deliver":
      return "Deliver what waits";
    case "forget":
      return "Give it up: nothing more of it goes to MLflow";
    default:
      return text(change.change);
  }
}

function resolvedLines({ done, not_done, left }: Answer): string[] {
  const brief = (row: Answer) =>
    `${text(row.kind)} ${text(row.field)} of ${text(row.trial_id ?? row.model_run_id)}`;
  return [
    ...answersIn(done).map(brief),
    ...answersIn(not_done).map((row) => `Not ${brief(row)}: ${text(row.reason)}`),
    ...(typeof left === "number" && left > 0 ? [`${left} are left for another time`] : []),
  ];
}

function lettersLines({ action, count, matching, sample }: Answer): string[] {
  return [
    `${text(action)} ${text(count)} of ${text(matching)}`,
    ...answersIn(sample).map((row) => `${text(row.kind)} ${text(row.item)}: ${text(row.reason)}`),
  ];
}

function backfillLines({ points, results }: Answer): string[] {
  return [
    `${text(points)} points`,
    ...answersIn(results).map(
      (row) =>
        `${text(row.trial_id ?? row.model_run_id)}: ${text(row.outcome).replaceAll("_", " ")}${row.reason === undefined ? "" : `, ${text(row.reason)}`}`,
    ),
  ];
}

/** Why the API refused, by its problem document. */
export function refusalOf(problem: Json): string[] {
  if (!isAnswer(problem)) return ["The relay gave no reason."];
  const fields = answersIn(problem.errors).map(({ field, rule }) => `${text(field)} ${text(rule)}`);
  return fields.length > 0 ? fields : [text(problem.detail ?? problem.title)];
}
