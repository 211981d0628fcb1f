import { type Core, textOf } from "../../domain/core.ts";
import { RUN_NAME_TAG } from "../../mlflow/tags.ts";
import type { Tag } from "../../mlflow/types.ts";
import type { End, Step, Turn } from "../stream/turn.ts";

/** What a run is to be when it is made. Times in epoch milliseconds. */
export type RunWanted = {
  experimentName: string;
  /** That experiment's id, made where it is not there yet. */
  experimentId: () => Promise<Step<string>>;
  runName: string;
  startTime: number;
  user: string;
  tags: Tag[];
  /** The trainer's own run, to be adopted. */
  requestedRunId: string | null;
  /** A run that was found with this trial's tags, to be adopted if it is still there. */
  foundRunId: string | null;
};

/** A run can change neither its experiment nor its start later, so a start that has not come yet is waited for. */
export function graceLeft({ deps, stream }: Turn, started: boolean): { ok: false; end: End } | null {
  // Made later than now: by a clock that was ahead.
  const ms = deps.config.announceGraceMs - Math.abs(deps.now() - stream.createdAt);
  return started || ms <= 0 ? null : { ok: false, end: { kind: "wait", for: "grace", ms } };
}

/** What a run is made with, whichever it is. */
export function common(
  turn: Turn,
  core: Core,
  id: string,
): Pick<RunWanted, "runName" | "startTime" | "user"> {
  return {
    runName: textOf(core, "run_name") ?? id,
    startTime: core.startedAt ?? turn.stream.createdAt,
    user: textOf(core, "user") ?? "trial-relay",
  };
}

/** MLflow's own tags for where a run comes from. */
export function identity(turn: Turn, core: Core) {
  const { runName, user } = common(turn, core, turn.stream.trialId ?? turn.stream.modelRunId ?? "");
  return [
    { key: RUN_NAME_TAG, value: runName },
    { key: "mlflow.user", value: user },
    { key: "mlflow.source.name", value: "trial-relay" },
    { key: "mlflow.source.type", value: "JOB" },
  ];
}
