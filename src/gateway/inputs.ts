import type { Deps } from "../relay/deps.ts";
import { digest } from "../relay/intake/identify.ts";
import { gatewayEvent } from "./event.ts";
import { keepOrRefuse } from "./keep.ts";
import type { DatasetInput, ModelInput } from "./requests/inputs.ts";
import { toRun } from "./run-for-write.ts";

/** Keeps the datasets and models that a run was given, each once. */
export async function logInputs(
  deps: Deps,
  { runId, inputs }: { runId: string; inputs: readonly (DatasetInput | ModelInput)[] },
): Promise<void> {
  const kept = await Promise.all(
    inputs.map(async (input) => {
      const body = JSON.stringify(input);
      return { digest: await digest(body), body };
    }),
  );
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.run.inputs", null);
    await keepOrRefuse(deps, [event], { runId: run.runId, inputs: kept });
  });
}
