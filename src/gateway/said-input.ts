import { digest } from "../relay/intake/identify.ts";
import type { SaidInput } from "../store/gateway/inputs.ts";
import type { DatasetInput, ModelInput } from "./requests/inputs.ts";

/** What a run was given, as it is kept. `isTheirs`: MLflow has it. */
export async function saidInput(input: DatasetInput | ModelInput, isTheirs: boolean): Promise<SaidInput> {
  const body = JSON.stringify(input);
  // As in MLflow the first use of a dataset stands, so the tags of it are no part of what it is.
  const identity = "dataset" in input ? JSON.stringify([input.dataset.name, input.dataset.digest]) : body;
  return { digest: await digest(identity), body, isTheirs };
}
