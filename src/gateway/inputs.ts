import type { Deps } from "../relay/deps.ts";
import type { Tie } from "../store/gateway/model-ties.ts";
import { gatewayEvent } from "./event.ts";
import { keepOrRefuse } from "./keep.ts";
import { ownModelIds } from "./models.ts";
import { Refusal } from "./refusal.ts";
import type { DatasetInput, ModelInput } from "./requests/inputs.ts";
import { toRun } from "./run-for-write.ts";
import { saidInput } from "./said-input.ts";

/** Keeps the datasets and models that a run was given, each once. */
export async function logInputs(
  deps: Deps,
  { runId, inputs }: { runId: string; inputs: readonly (DatasetInput | ModelInput)[] },
): Promise<void> {
  const firstOf = await ownModelIds(
    deps,
    inputs.flatMap((input) => ("model_id" in input ? [input.model_id] : [])),
  );
  const said = await Promise.all(
    inputs.map(async (input) => (await tieOf(firstOf, input)) ?? saidInput(input, false)),
  );
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.run.inputs", null);
    await keepOrRefuse(deps, [event], {
      runId: run.runId,
      inputs: said.filter((one) => "digest" in one),
      models: { ties: said.filter((one) => "modelId" in one), points: [] },
    });
  });
}

/** Null for a dataset, and for a model that nobody knows just now: MLflow takes any id. */
async function tieOf(
  firstOf: (id: string) => Promise<string>,
  input: DatasetInput | ModelInput,
): Promise<Tie | null> {
  if (!("model_id" in input)) return null;
  try {
    return { modelId: await firstOf(input.model_id), kind: "input", step: 0 };
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}
