import type { Run } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import type { Tie } from "../store/gateway/model-ties.ts";
import { withFirstIds } from "./ids.ts";
import type { DatasetInput } from "./requests/inputs.ts";

/** What a run of MLflow's was given and made, as its clients say it, under the ids that were given first. */
export async function theirInputs(
  deps: Deps,
  { inputs, outputs }: Pick<Run, "inputs" | "outputs">,
): Promise<{ datasets: DatasetInput[]; ties: Tie[] }> {
  const datasets = inputs.datasets.map(
    ({ tags, sourceType, schema, profile, ...dataset }): DatasetInput => ({
      tags,
      dataset: {
        ...dataset,
        source_type: sourceType,
        ...(schema === null ? {} : { schema }),
        ...(profile === null ? {} : { profile }),
      },
    }),
  );
  const ties = await withFirstIds(deps, ({ model }) => [
    ...inputs.modelIds.map((id): Tie => ({ modelId: model(id), kind: "input", step: 0 })),
    ...outputs.map(({ modelId, step }): Tie => ({ modelId: model(modelId), kind: "output", step })),
  ]);
  return { datasets, ties };
}
