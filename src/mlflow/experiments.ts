import { query, read, type Search, searchBody, write } from "./calls.ts";
import type { Result } from "./failure.ts";
import type { Send } from "./http.ts";
import * as schemas from "./schemas.ts";
import type { Experiment, Page, Tag } from "./types.ts";

export function experimentCalls(send: Send) {
  return {
    /** Resolves to the new experiment's id. "exists" also stands for a deleted experiment that holds the name. */
    createExperiment: (experiment: { name: string; artifactLocation?: string; tags?: Tag[] }) =>
      send({
        ...write("experiments/create", schemas.createdExperiment, {
          name: experiment.name,
          artifact_location: experiment.artifactLocation,
          tags: experiment.tags,
        }),
        target: "name",
      }),

    /** Deleted experiments too: look at `lifecycleStage`. */
    getExperiment: (experimentId: string): Promise<Result<Experiment>> =>
      send({
        ...read("experiments/get", schemas.oneExperiment, { experiment_id: experimentId }),
        isAbout: (experiment) => experiment.experimentId === experimentId,
      }),

    /** Deleted experiments too. Without one of that name: "missing". */
    getExperimentByName: (name: string): Promise<Result<Experiment>> =>
      send({
        ...read("experiments/get-by-name", schemas.oneExperiment, { experiment_name: name }),
        target: "name",
        isAbout: (experiment) => isSameName(experiment.name, name),
      }),

    searchExperiments: (search: Search): Promise<Result<Page<Experiment>>> =>
      send(
        query("experiments/search", schemas.experimentPage, {
          ...searchBody(search),
          view_type: search.viewType,
        }),
      ),

    /** Renames it; "duplicate" where another holds the name, a deleted one too. A deleted one is "gone". */
    updateExperiment: (experiment: { experimentId: string; newName: string }): Promise<Result<void>> =>
      send(
        write("experiments/update", schemas.nothing, {
          experiment_id: experiment.experimentId,
          new_name: experiment.newName,
        }),
      ),

    /** Deletes its runs as well. One that is deleted already is "gone" too. */
    deleteExperiment: (experimentId: string): Promise<Result<void>> =>
      send(write("experiments/delete", schemas.nothing, { experiment_id: experimentId })),

    setExperimentTag: (tag: { experimentId: string } & Tag): Promise<Result<void>> =>
      send(
        write("experiments/set-experiment-tag", schemas.nothing, {
          experiment_id: tag.experimentId,
          key: tag.key,
          value: tag.value,
        }),
      ),

    /** Without such a tag: "missing". MLflow before 3 does not know the call. */
    deleteExperimentTag: (tag: { experimentId: string; key: string }): Promise<Result<void>> =>
      send(
        write("experiments/delete-experiment-tag", schemas.nothing, {
          experiment_id: tag.experimentId,
          key: tag.key,
        }),
      ),

    /** Restores its runs as well. An experiment that is not deleted is "gone" too: MLflow makes no difference. */
    restoreExperiment: (experimentId: string): Promise<Result<void>> =>
      send(write("experiments/restore", schemas.nothing, { experiment_id: experimentId })),
  };
}

const names = new Intl.Collator("und", { sensitivity: "base" });

/** MySQL and SQL Server find a name whatever its case, accents and spaces at its end. */
function isSameName(a: string, b: string): boolean {
  return names.compare(a.trimEnd(), b.trimEnd()) === 0;
}
