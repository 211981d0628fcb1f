import { readFile } from "node:fs/promises";
import { inject } from "vitest";
import { hasCode } from "../../scripts/lib/lock.ts";
import * as lab from "../lib/lab.ts";
import type { Made, More } from "../lib/relay.ts";
import { until } from "../lib/until.ts";

export type { Lab, OwnLab, PostgresLab, SharedLab } from "../lib/lab.ts";

/** The labs, with what `servers.ts` starts and makes for all files. */

type Vars = Record<string, string>;

/** MLflow may have to be installed first. */
const START_LIMIT_MS = 540_000;

/** For trials whose model run nobody announces: nothing is waited for. */
export const UNANNOUNCED = { RELAY_ANNOUNCE_GRACE_SECONDS: "0" };

/** For tests that kill or stop a relay: what it had in hand is nobody's for a lease, twice this and ten seconds. */
export const SHORT_LEASES = { MLFLOW_REQUEST_TIMEOUT: "10000" };

export async function openLab(vars: Vars = {}, more: More = {}): Promise<lab.SharedLab> {
  return lab.openSharedLab(inject("mlflow"), vars, { made: await whatIsMade(), ...more });
}

/** For tests that stop MLflow. */
export async function openOwnLab(vars: Vars = {}): Promise<lab.OwnLab> {
  return lab.openOwnLab(vars, { made: await whatIsMade() });
}

export async function openPostgresLab(vars: Vars = {}): Promise<lab.PostgresLab> {
  return lab.openPostgresLab(vars, { made: await whatIsMade() });
}

/** What was made for all relays, once it is and the MLflow of all files answers. */
export async function whatIsMade(): Promise<Made> {
  let problem: string | null = null;
  await until(
    "what all files share is started",
    async () => {
      problem = await saidOfStart();
      return problem !== null;
    },
    () => "",
    START_LIMIT_MS,
  );
  if (problem) throw new Error(`What all files share did not start: ${problem}`);
  return inject("made");
}

async function saidOfStart(): Promise<string | null> {
  try {
    return await readFile(inject("ready"), "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}
