import type { ModelStatus } from "../domain/words.ts";
import { checked, query, read, type Search, searchBody, write } from "./calls.ts";
import type { Result } from "./failure.ts";
import type { Send } from "./http.ts";
import * as schemas from "./schemas.ts";
import type { LoggedModel, Metric, Page, Param, ShownModel, Tag } from "./types.ts";

export type NewModel = {
  experimentId: string;
  name: string;
  modelType: string;
  sourceRunId: string | null;
  params: Param[];
  tags: Tag[];
};

/** A point of a run that is a model's as well. */
export type ModelMetric = Metric & { modelId: string; datasetName?: string; datasetDigest?: string };

const MODELS = "logged-models";

/** Logged models, which MLflow has from 3 on. */
export function modelCalls(send: Send) {
  const of = (modelId: string, rest = "") => ({
    endpoint: `${MODELS}/${encodeURIComponent(modelId)}${rest}`,
    as: `${MODELS}${rest.replace(/^(\/\w+).*/, "$1")}`,
  });
  return {
    /** MLflow chooses the id, and makes another each time. */
    createModel: (model: NewModel): Promise<Result<LoggedModel>> =>
      send({
        ...write(MODELS, schemas.oneModel, {
          experiment_id: model.experimentId,
          name: model.name,
          model_type: model.modelType,
          source_run_id: model.sourceRunId ?? undefined,
          params: model.params,
          tags: model.tags,
        }),
        isAbout: ({ experimentId, name }) => experimentId === model.experimentId && name === model.name,
      }),

    /** One that is deleted is "gone". */
    getModel: (modelId: string): Promise<Result<LoggedModel>> =>
      send({
        ...read("", schemas.oneModel, {}),
        ...of(modelId),
        isAbout: (model) => model.modelId === modelId,
      }),

    /** The same in MLflow's own words, as it shows it. */
    getShownModel: (modelId: string, allowDeleted: boolean): Promise<Result<ShownModel>> =>
      send({
        ...read("", schemas.oneShownModel, allowDeleted ? { allow_deleted: "true" } : {}),
        ...of(modelId),
        isAbout: ({ info }) => info.model_id === modelId,
      }),

    /** Finds none that is deleted. The order is MLflow's: the latest first. */
    searchModels: ({
      experimentIds,
      ...search
    }: Search & { experimentIds: string[] }): Promise<Result<Page<LoggedModel>>> =>
      send({
        ...query(`${MODELS}/search`, schemas.modelPage, {
          ...searchBody(search),
          experiment_ids: experimentIds,
        }),
        isAbout: ({ items }) => items.every(({ experimentId }) => experimentIds.includes(experimentId)),
      }),

    /** The same in MLflow's own words, models as it shows them. */
    searchShownModels: (body: object): Promise<Result<Page<ShownModel>>> =>
      send(query(`${MODELS}/search`, schemas.shownModelPage, body)),

    finalizeModel: (modelId: string, status: ModelStatus): Promise<Result<LoggedModel>> =>
      send({
        ...write("", schemas.oneModel, { model_id: modelId, status }),
        ...of(modelId),
        method: "PATCH",
        isAbout: (model) => model.modelId === modelId,
      }),

    /** Succeeds on one that is deleted, too. */
    deleteModel: (modelId: string): Promise<Result<void>> =>
      send({ ...write("", schemas.nothing, {}), ...of(modelId), method: "DELETE" }),

    setModelTags: (modelId: string, tags: Tag[]): Promise<Result<void>> =>
      send({ ...write("", schemas.nothing, { tags }), ...of(modelId, "/tags"), method: "PATCH" }),

    /** Without such a tag: "missing". A key of dots would lead to the model itself. */
    deleteModelTag: (modelId: string, key: string): Promise<Result<void>> =>
      checked([/^\.{1,2}$/.test(key) ? "A tag's key is a dot or two" : ""]) ??
      send({
        ...write("", schemas.nothing, {}),
        ...of(modelId, `/tags/${encodeURIComponent(key)}`),
        method: "DELETE",
      }),

    /** "duplicate" where it has one of them already, with whatever value; then none is taken. */
    logModelParams: (modelId: string, params: Param[]): Promise<Result<void>> =>
      send({ ...write("", schemas.nothing, { model_id: modelId, params }), ...of(modelId, "/params") }),

    /** "duplicate" where the run has it already. */
    logOutput: (output: { runId: string; modelId: string; step: number }): Promise<Result<void>> =>
      send(
        write("runs/outputs", schemas.nothing, {
          run_id: output.runId,
          models: [{ model_id: output.modelId, step: output.step }],
        }),
      ),

    /** Points that the run has are its own once. "duplicate" where the model has one of them otherwise. */
    logModelMetrics: (runId: string, metrics: ModelMetric[]): Promise<Result<void>> =>
      send(
        write("runs/log-batch", schemas.nothing, {
          run_id: runId,
          metrics: metrics.map(({ modelId, datasetName, datasetDigest, ...metric }) => ({
            ...metric,
            model_id: modelId,
            dataset_name: datasetName,
            dataset_digest: datasetDigest,
          })),
          params: [],
          tags: [],
        }),
      ),
  };
}
