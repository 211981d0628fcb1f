import type { Deps } from "../relay/deps.ts";
import { gatewayEvent } from "./event.ts";
import { keepOrRefuse } from "./keep.ts";
import { ownModel } from "./models.ts";
import { toRun } from "./run-for-write.ts";

/** Keeps the models that a run made, each once. */
export async function logOutputs(
  deps: Deps,
  { runId, models }: { runId: string; models: readonly { modelId: string; step: number }[] },
): Promise<void> {
  const ties = await Promise.all(
    models.map(async ({ modelId, step }) => ({
      modelId: (await ownModel(deps, modelId)).id,
      kind: "output" as const,
      step,
    })),
  );
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.run.outputs", null);
    await keepOrRefuse(deps, [event], { runId: run.runId, models: { ties, points: [] } });
  });
}
