import type { Experiment, LoggedModel, ShownModel } from "../../../src/mlflow/types.ts";
import { type Belongings, type MlflowReader, type Snapshot, unwrap } from "../../lib/mlflow-read.ts";

/** What a server holds of a training, in words that do not depend on the server's ids. */
export type Content = {
  experiments: { name: string; lifecycle: string; tags: Record<string, string> }[];
  runs: HeldRun[];
  models: HeldModel[];
};

export type HeldRun = Omit<Snapshot, "runId" | "startTime" | "endTime"> & {
  experiment: string;
  startTime: number | string | null;
  endTime: number | string | null;
  /** The parent's name, where the tag holds the id of a run of this server. */
  parent: string | null;
  datasets: Belongings["datasets"];
  /** The logged models that it was given, and made, by their names. */
  given: string[];
  made: string[];
  /** SHA-256 by path. */
  files: Record<string, string>;
};

/** A logged model; `run` by its name. */
export type HeldModel = {
  name: string;
  status: string;
  run: string | null;
  tags: Record<string, string>;
  params: Record<string, string>;
  points: { run: string | null; point: string }[];
  files: Record<string, string>;
};

const PARENT = "mlflow.parentRunId";
const MOST_MODELS = 50;

/** All experiments whose names begin so, with all their runs and models, the relay's own tags left out. */
export async function contentOf(reader: MlflowReader, prefix: string): Promise<Content> {
  const found = unwrap(await reader.client.searchExperiments({ viewType: "ALL", maxResults: 1000 })).items;
  const experiments = found.filter(({ name }) => name.startsWith(prefix));
  const named = (name: string) => name.replace(prefix, "…");
  const held = await Promise.all(experiments.map((experiment) => heldOf(reader, experiment, named)));
  return {
    experiments: sorted(
      experiments.map(({ name, lifecycleStage, tags }) => ({
        name: named(name),
        lifecycle: lifecycleStage,
        tags: toRecord(tags),
      })),
    ),
    runs: sorted(held.flatMap(({ runs }) => runs)),
    models: sorted(held.flatMap(({ models }) => models)),
  };
}

type Names = ReadonlyMap<string, string | null>;

async function heldOf(reader: MlflowReader, experiment: Experiment, named: (name: string) => string) {
  const runs = await reader.runs(experiment.name);
  const models = await modelsOf(reader, experiment);
  const runNames: Names = new Map(runs.map(({ runId, name }) => [runId, name]));
  const modelNames: Names = new Map(models.map(({ modelId, name }) => [modelId, name]));
  const where = named(experiment.name);
  return {
    runs: await Promise.all(runs.map((run) => heldRun(reader, run, where, runNames, modelNames))),
    models: await Promise.all(models.map((model) => heldModel(reader, model, runNames))),
  };
}

type Model = LoggedModel & { points: ShownModel["data"]["metrics"] };

async function modelsOf({ client }: MlflowReader, { experimentId }: Experiment): Promise<Model[]> {
  const [search, body] = [
    { experimentIds: [experimentId], maxResults: MOST_MODELS },
    { experiment_ids: [experimentId], max_results: MOST_MODELS },
  ];
  const found = unwrap(await client.searchModels(search)).items;
  const shown = unwrap(await client.searchShownModels(body)).items;
  const pointsOf = new Map(shown.map(({ info, data }) => [info.model_id, data.metrics]));
  return found.map((model) => ({ ...model, points: pointsOf.get(model.modelId) ?? [] }));
}

async function heldRun(
  reader: MlflowReader,
  { runId, ...run }: Snapshot,
  experiment: string,
  runs: Names,
  models: Names,
): Promise<HeldRun> {
  const { datasets, given, made, artifactUri } = await reader.belongings(runId);
  const { [PARENT]: parent, ...tags } = run.tags;
  return {
    ...run,
    experiment,
    parent: nameIn(runs, parent),
    tags: withoutRelays(tags),
    datasets,
    given: given.map((id) => nameIn(models, id) ?? "").sort(),
    made: made.map(({ modelId, step }) => `${nameIn(models, modelId)} #${step}`).sort(),
    files: await reader.filesBelow(artifactUri),
  };
}

async function heldModel(reader: MlflowReader, model: Model, runs: Names): Promise<HeldModel> {
  return {
    name: model.name,
    status: model.status,
    run: nameIn(runs, model.sourceRunId),
    tags: withoutRelays(toRecord(model.tags)),
    params: toRecord(model.params),
    points: sorted(
      model.points.map(({ run_id, key, step, timestamp, value, dataset_name, dataset_digest }) => ({
        run: nameIn(runs, run_id),
        point: `${key} #${step} @${timestamp} = ${value}${dataset_name ? ` on ${dataset_name} ${dataset_digest}` : ""}`,
      })),
    ),
    files: await reader.filesBelow(model.artifactUri),
  };
}

function nameIn(names: Names, id: string | null | undefined): string | null {
  return id ? (names.get(id) ?? `unknown: ${id}`) : null;
}

function withoutRelays(tags: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([key]) => !key.startsWith("relay.")));
}

function toRecord(pairs: readonly { key: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}

/** In an order that is the same on every server. */
export function sorted<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: JSON.stringify(item) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item);
}
