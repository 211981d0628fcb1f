import { Refusal } from "./refusal.ts";

/** A request that only MLflow can answer, and that nobody is to wait for: a client that hears of a 503 tries for minutes. */
export function whileAway(reason: string): Refusal {
  return new Refusal(
    "NOT_IMPLEMENTED",
    `This is MLflow's to answer, and it cannot be asked just now (${reason}). Meanwhile the relay itself answers experiments, runs, what is logged to them (metrics, parameters, tags, datasets, models), searches and metric histories.`,
  );
}
