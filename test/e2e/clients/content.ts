import type { Experiment } from "../../../src/mlflow/types.ts";
import { type MlflowReader, type Snapshot, unwrap } from "../../lib/mlflow-read.ts";

/** What a server holds of a training, in words that do not depend on the server's ids. */
export type Content = {
  experiments: { name: string; lifecycle: string; tags: Record<string, string> }[];
  runs: Held[];
  models: HeldModel[];
};

type Held = Omit<Snapshot, "runId" | "startTime" | "endTime"> & {
  experiment: string;
  startTime: number | string | null;
  endTime: number | string | null;
  /** The parent's name, where the tag holds the id of a run of this server. */
  parent: string | null;
};

/** A logged model; `run` by its name, `files` by their digests. */
type HeldModel = {
  name: string;
  status: string;
  run: string | null;
  tags: Record<string, string>;
  params: Record<string, string>;
  points: string[];
  files: Record<string, string>;
};

/** The trainings' own times are long past; what is later came from a clock. */
const LATEST_OWN_MS = 1_700_001_000_000;
const CLOCK = "by the clock";
const PARENT = "mlflow.parentRunId";
/** As MLflow names runs that nobody named. */
const GENERATED_NAME = /^[a-z]+-[a-z]+-\d+$/;

/** All experiments whose names begin so, with all their runs, the relay's own tags left out. */
export async function contentOf(reader: MlflowReader, prefix: string): Promise<Content> {
  const found = unwrap(await reader.client.searchExperiments({ viewType: "ALL", maxResults: 1000 })).items;
  const experiments = found.filter(({ name }) => name.startsWith(prefix));
  const named = (name: string) => name.replace(prefix, "…");
  const runs = await Promise.all(experiments.map((experiment) => runsOf(reader, experiment, named)));
  const models = await Promise.all(experiments.map((experiment) => modelsOf(reader, experiment)));
  return {
    models: sorted(models.flat()),
    experiments: sorted(
      experiments.map(({ name, lifecycleStage, tags }) => ({
        name: named(name),
        lifecycle: lifecycleStage,
        tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
      })),
    ),
    runs: sorted(runs.flat()),
  };
}

async function runsOf(reader: MlflowReader, { name }: Experiment, named: (name: string) => string) {
  const runs = await reader.runs(name);
  const nameOf = new Map(runs.map((run) => [run.runId, run.name]));
  return runs.map(({ runId: _, ...run }): Held => {
    const { [PARENT]: parent, ...tags } = run.tags;
    const own = Object.entries(tags).filter(([key]) => !key.startsWith("relay."));
    return {
      ...run,
      experiment: named(name),
      parent: parent === undefined ? null : (nameOf.get(parent) ?? `unknown: ${parent}`),
      tags: Object.fromEntries(own),
    };
  });
}

async function modelsOf(reader: MlflowReader, { name, experimentId }: Experiment): Promise<HeldModel[]> {
  const { runs, client } = { runs: await reader.runs(name), client: reader.client };
  const nameOf = new Map(runs.map((run) => [run.runId, run.name]));
  const found = unwrap(await client.searchModels({ experimentIds: [experimentId], maxResults: 50 })).items;
  const shown = unwrap(
    await client.searchShownModels({ experiment_ids: [experimentId], max_results: 50 }),
  ).items;
  const pointsOf = new Map(shown.map(({ info, data }) => [info.model_id, data.metrics]));
  return Promise.all(
    found.map(async (model) => ({
      name: model.name,
      status: model.status,
      run:
        model.sourceRunId === null
          ? null
          : (nameOf.get(model.sourceRunId) ?? `unknown: ${model.sourceRunId}`),
      tags: toRecord(model.tags.filter(({ key }) => !key.startsWith("relay."))),
      params: toRecord(model.params),
      points: (pointsOf.get(model.modelId) ?? [])
        .map(({ run_id, dataset_name = "", dataset_digest = "", ...point }) =>
          [
            `${point.key} #${point.step} @${point.timestamp} = ${point.value}`,
            dataset_name,
            dataset_digest,
            nameOf.get(run_id ?? "") ?? run_id,
          ].join(" "),
        )
        .sort(),
      files: await reader.filesBelow(model.artifactUri),
    })),
  );
}

/** The same, without what comes from a clock or a machine: two trainings of the same script then have the same. */
export function withoutClock({ experiments, runs, models }: Content): Content {
  const held = runs.map((run) => ({
    ...run,
    name: GENERATED_NAME.test(run.name ?? "") ? "generated" : run.name,
    startTime: time(run.startTime),
    endTime: time(run.endTime),
    tags: Object.fromEntries(
      Object.entries(run.tags).map(([key, value]) => {
        if (key === "mlflow.source.git.commit") return [key, "of this repository"];
        if (key === "mlflow.runName" && GENERATED_NAME.test(value)) return [key, "generated"];
        return [key, /^datetime_/.test(key) ? CLOCK : value];
      }),
    ),
    points: [...new Set(run.points.map(pointWithoutClock))].sort(),
  }));
  // A model's files hold its ids and when it was made.
  const kept = models.map(({ files, run, ...model }) => ({
    ...model,
    run: GENERATED_NAME.test(run ?? "") ? "generated" : run,
    points: [...new Set(model.points.map(pointWithoutClock))].sort(),
    files: Object.fromEntries(Object.keys(files).map((path) => [path, "its bytes"])),
  }));
  return { experiments, runs: sorted(held), models: sorted(kept) };
}

function toRecord(pairs: readonly { key: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}

function time(at: number | string | null): number | string | null {
  return typeof at === "number" && at > LATEST_OWN_MS ? CLOCK : at;
}

function pointWithoutClock(point: string): string {
  if (point.startsWith("system/")) return point.replace(/ #.*/, "");
  const timed = point.replace(/@(\d+)/, (text, at) => (Number(at) > LATEST_OWN_MS ? `@${CLOCK}` : text));
  return /_time #/.test(timed) ? timed.replace(/=.*/, `= ${CLOCK}`) : timed;
}

function sorted<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: JSON.stringify(item) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ item }) => item);
}
