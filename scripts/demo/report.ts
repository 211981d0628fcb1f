import type { Confirmation } from "./confirm.ts";
import type { RelayTrial } from "./relay-client.ts";
import type { TrialOutcome } from "./run-trial.ts";

export type Row = { outcome: TrialOutcome; found: RelayTrial | undefined; check: Confirmation };

/** Says whether all of a trial is in MLflow, and nothing else. */
export function isComplete({ found, check }: Row): boolean {
  return found?.sync_state === "synced" && check.missing === 0 && check.unexpected === 0;
}

/** The demo's result: a line for each trial, the sums, the answer times, and links into MLflow. */
export function renderReport(rows: Row[], mlflow: string, answerTimesMs: number[]): string {
  const header = [
    "trial",
    "lr",
    "hidden",
    "batch",
    "decay",
    "spectral",
    "best val",
    "accepted",
    "delivered",
    "confirmed",
  ];
  const accepted = sum(rows, (row) => row.outcome.points.length);
  const delivered = sum(rows, deliveredPoints);
  const confirmed = sum(rows, (row) => row.check.confirmed);
  const total = ["all", "", "", "", "", "", "", `${accepted}`, `${delivered}`, `${confirmed}`];
  const times = answerTimesMs.toSorted((a, b) => a - b);
  const at = (share: number) => `${(times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1)} ms`;
  return [
    "",
    ...aligned([header, ...rows.map(cells), total]),
    "",
    `Points: ${accepted} accepted by the relay, ${delivered} delivered, ${confirmed} confirmed in MLflow (value, step and time).`,
    ...rows
      .filter((row) => row.check.unexpected > 0)
      .map(
        (row) =>
          `${row.outcome.trial.id}: ${row.check.unexpected} points in MLflow that were never reported.`,
      ),
    `Requests: ${times.length}, answered in ${at(0.5)} (p50), ${at(0.99)} (p99).`,
    "",
    ...rows.map(
      ({ outcome, found }) =>
        `${outcome.trial.id}  ${found ? link(mlflow, found) : "not known to the relay"}`,
    ),
    "",
  ].join("\n");
}

function cells(row: Row): string[] {
  const { trial, points, valAccuracy, diverged } = row.outcome;
  const { parameters } = trial;
  return [
    trial.id,
    `${parameters.learning_rate}`,
    `${parameters.hidden_units}`,
    `${parameters.batch_size}`,
    `${parameters.weight_decay}`,
    parameters.spectral_norm ? "yes" : "no",
    diverged ? "diverged" : valAccuracy.toFixed(3),
    `${points.length}`,
    `${deliveredPoints(row)}`,
    `${row.check.confirmed}`,
  ];
}

function deliveredPoints({ outcome, found }: Row): number {
  return found?.sync_state === "synced" ? outcome.points.length : 0;
}

function link(mlflow: string, { mlflow_experiment_id: experiment, mlflow_run_id: run }: RelayTrial): string {
  return experiment && run ? `${mlflow}/#/experiments/${experiment}/runs/${run}` : "not in MLflow yet";
}

function aligned(table: string[][]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function sum(rows: Row[], of: (row: Row) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}
