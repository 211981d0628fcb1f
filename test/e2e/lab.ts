import { inject } from "vitest";
import * as lab from "../lib/lab.ts";

export type { Lab, OwnLab, PostgresLab, SharedLab } from "../lib/lab.ts";

/** The labs, with what `servers.ts` started and made for all files. */

type Vars = Record<string, string>;

/** For trials whose model run nobody announces: nothing is waited for. */
export const UNANNOUNCED = { RELAY_ANNOUNCE_GRACE_SECONDS: "0" };

export function openLab(vars: Vars = {}): Promise<lab.SharedLab> {
  return lab.openSharedLab(inject("mlflow"), vars, { made: inject("made") });
}

/** For tests that stop MLflow. */
export function openOwnLab(vars: Vars = {}): Promise<lab.OwnLab> {
  return lab.openOwnLab(vars, { made: inject("made") });
}

export function openPostgresLab(vars: Vars = {}): Promise<lab.PostgresLab> {
  return lab.openPostgresLab(vars, { made: inject("made") });
}
