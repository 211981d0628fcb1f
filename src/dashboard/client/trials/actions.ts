import type { TrialRow } from "./model.ts";

/** What can be done in the grid. */
export type GridActions = {
  sort(column: string): void;
  pin(column: string): void;
  /** @param by one to the left (-1) or right (1) */
  shift(column: string, by: -1 | 1): void;
  drop(column: string, onto: string): void;
  select(row: TrialRow): void;
  selectAll(): void;
  toggle(row: TrialRow): void;
};
