import { DESCRIPTION_TAG } from "./merge.ts";
import { MLFLOW_STATUS } from "./run-register.ts";
import type { Lifecycle } from "./status.ts";
import type { Facts, TerminalStatus, TrialStatus } from "./types.ts";
import type { Side } from "./words.ts";

/** What it means to settle a conflict by hand. Pure. Times are epoch milliseconds. */

/** A conflict with all that its settling depends on. */
export type Disputed = {
  kind: "param" | "experiment" | "run_id" | "double_run" | "name" | "status" | "tag" | "description";
  field: string;
  kept: string | null;
  refused: string;
  /** Who said what was refused. */
  source: "journal" | "mlflow";
  relayValue: string | null;
  mlflowValue: string | null;
  /** How the relay sees its trial or model run now. */
  now: { status: TrialStatus; endedAt: number | null };
  lifecycle: Lifecycle;
  /** The end of the run as MLflow had it when it was last seen. */
  mlflowEndTime: number | null;
  /** When the field was last said; null where nobody said it. */
  saidAt: number | null;
};

export type Resolution =
  /** The side that was chosen is said once more, by the relay itself. */
  | { kind: "say"; facts: Facts }
  /** What stands is what was chosen. */
  | { kind: "stands" }
  | { kind: "delete_run"; runId: string }
  | { kind: "refused"; reason: string };

/** What choosing a side comes to. */
export function resolutionOf(conflict: Disputed, take: Side): Resolution {
  const value = take === "relay" ? conflict.relayValue : conflict.mlflowValue;
  switch (conflict.kind) {
    case "name":
      return value === null
        ? refused(`There is no name on the side of ${NAMES[take]}.`)
        : say({ fields: { run_name: value } });
    case "tag":
    case "description": {
      const key = conflict.kind === "tag" ? conflict.field : DESCRIPTION_TAG;
      return say(value === null ? { untags: [key] } : { tags: { [key]: value } });
    }
    case "status":
      return statusSaid(conflict, take, value);
    case "param":
      return take === "relay" ? refused(PARAM_STAYS) : corrected(conflict);
    case "experiment":
    case "run_id":
      return take === "relay" ? refused(RUN_STAYS) : { kind: "stands" };
    case "double_run":
      return take === "relay"
        ? { kind: "delete_run", runId: conflict.refused }
        : refused(
            `MLflow run ${conflict.refused} cannot take the place of the trial's own run. To go on with it, start a new trial that names it as mlflow_run_id.`,
          );
  }
}

const NAMES: Record<Side, string> = { relay: "the relay", mlflow: "MLflow" };
const PARAM_STAYS =
  "MLflow cannot change a parameter of a run. Taking mlflow corrects the parameter here to what stands in MLflow.";
const RUN_STAYS =
  "A run in MLflow can neither move to another experiment nor become another run. Taking mlflow settles on what stands there.";

function say(facts: Facts): Resolution {
  return { kind: "say", facts };
}

function refused(reason: string): Resolution {
  return { kind: "refused", reason };
}

/** The parameter as it stands in MLflow; where two events differed, that is the first one's already. */
function corrected({ field, kept, source, mlflowValue }: Disputed): Resolution {
  const value = mlflowValue ?? (source === "mlflow" ? kept : null);
  return value === null ? { kind: "stands" } : say({ corrections: { [field]: value } });
}

/** From this event's time on the trial stands as this, whatever was said before. */
function statusSaid(conflict: Disputed, take: Side, value: string | null): Resolution {
  if (value === "RUNNING") return say({ resumes: true });
  const possible = TERMINAL.filter((status) => MLFLOW_STATUS[status] === value);
  const [usual] = possible;
  if (usual === undefined) return refused(`There is no status on the side of ${NAMES[take]}.`);
  const known = take === "relay" ? ownEnd(conflict, possible) : null;
  const endedAt = take === "relay" ? known?.at : (conflict.mlflowEndTime ?? undefined);
  return say({
    resumes: true,
    ends: known?.status ?? usual,
    ...(endedAt === undefined ? {} : { endedAt }),
  });
}

/** The first of those that MLflow has one word for is the one that is meant without a trainer's word. */
const TERMINAL: readonly TerminalStatus[] = ["succeeded", "failed", "cancelled", "skipped"];

/** How and when it ended by what the trainer said: as it stands, else the latest such end that was set aside. */
function ownEnd({ now, lifecycle }: Disputed, possible: readonly TerminalStatus[]) {
  const ends = possible.flatMap((status) => {
    const end = lifecycle.ends[status]?.[0];
    const isNow = status === now.status && now.endedAt !== null;
    if (isNow) return [{ status, at: now.endedAt ?? 0, saidAt: Number.POSITIVE_INFINITY }];
    return end ? [{ status, at: end.endedAt ?? end.at, saidAt: end.at }] : [];
  });
  return ends.sort((a, b) => b.saidAt - a.saidAt)[0] ?? null;
}
