import type { Deps } from "../relay/deps.ts";
import { gatewayEvent } from "./event.ts";
import { keepOrRefuse } from "./keep.ts";
import { ownModelIds } from "./models.ts";
import { toRun } from "./run-for-write.ts";

/** Keeps the models that a run made, each once. */
export async function logOutputs(
  deps: Deps,
  { runId, models }: { runId: string; models: readonly { modelId: string; step: number }[] },
): Promise<void> {
  const firstOf = await ownModelIds(
    deps,
    models.map(({ modelId }) => modelId),
  );
  const ties = await Promise.all(
    models.map(async ({ modelId, step }) => ({
      modelId: await firstOf(modelId),
      kind: "output" as const,
      step,
    })),
  );
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.run.outputs", null);
    await keepOrRefuse(deps, [event], { runId: run.runId, models: { ties, points: [] } });
  });
}
