import type { Owner } from "../../answers/parts.ts";
import { streams } from "../schema/index.ts";

/** The columns that say whose a row is. */
export const owner = {
  streamKey: streams.key,
  streamKind: streams.kind,
  modelRunId: streams.modelRunId,
  trialId: streams.trialId,
};

type OwnerRow = {
  streamKey: string | null;
  streamKind: "trial" | "model_run" | null;
  modelRunId: string | null;
  trialId: string | null;
};

/** Whose it is: the trial by its public id and the trainer's, or the model run by its own. */
export function ownerView(row: OwnerRow): Owner {
  return {
    trial: row.streamKind === "trial" ? row.streamKey : null,
    trial_id: row.trialId,
    model_run_id: row.modelRunId,
  };
}
