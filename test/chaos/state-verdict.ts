import type { Snapshot } from "../lib/mlflow-read.ts";
import type { Report } from "./traffic.ts";

const NOTE_TAG = "metadata.note";

/**
 * What of a trial's tags and times in MLflow cannot have come from what was sent and acknowledged. What was sent and
 * not acknowledged may have arrived or not, so several states can be right.
 */
export function wrongState(
  trialId: string,
  reports: readonly Report[],
  promised: readonly Report[],
  run: Snapshot,
) {
  const wrong: string[] = [];
  const note = run.tags[NOTE_TAG];
  const notes = possibleNotes(reports, promised);
  if (!notes.has(note)) wrong.push(`${trialId} has the note ${note}, not ${[...notes].join(" or ")}`);
  // MLflow cannot move the start of a run, so it is that of what was known when the run was made.
  if (!reports.some(({ at }) => at === run.startTime)) wrong.push(`${trialId} starts at ${run.startTime}`);
  const ends = promised.filter((report) => report.ends).map(({ at }) => at);
  if (ends.some((at) => at !== run.endTime)) wrong.push(`${trialId} ends at ${run.endTime}, not ${ends}`);
  return wrong;
}

/** The latest acknowledged one, or one that was sent and is not older. */
function possibleNotes(reports: readonly Report[], promised: readonly Report[]): Set<string | undefined> {
  const noted = (some: readonly Report[]) => some.filter(({ note }) => note !== null);
  const latest = Math.max(...noted(promised).map(({ at }) => at));
  const possible = noted(reports).filter(({ at }) => at >= latest);
  return new Set([
    ...(latest === -Infinity ? [undefined] : []),
    ...possible.map(({ note }) => note ?? undefined),
  ]);
}
