import * as z from "zod";
import { FakeRefusal } from "./fake-experiments.ts";

/** The logged models of a tracking server in memory, as MLflow 3 keeps them. */

const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
const asked = z.object({
  experiment_id: z.string().default(""),
  run_id: z.string().default(""),
  name: z.string().default(""),
  source_run_id: z.string().optional(),
  status: z.string().default(""),
  filter: z.string().default(""),
  params: pairs,
  tags: pairs,
  models: z.array(z.object({ model_id: z.string(), step: z.number().default(0) })).default([]),
  metrics: z
    .array(
      z.object({
        key: z.string(),
        value: z.unknown(),
        timestamp: z.number(),
        step: z.number(),
        model_id: z.string().optional(),
        dataset_name: z.string().optional(),
      }),
    )
    .default([]),
});
type Asked = z.output<typeof asked>;

class FakeModel {
  readonly name: string;
  readonly experimentId: string;
  readonly sourceRunId: string | undefined;
  status = "LOGGED_MODEL_PENDING";
  lifecycle = "active";
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  /** By what tells them apart. */
  readonly points = new Map<string, object>();

  constructor({ name, experiment_id, source_run_id, tags, params }: Asked) {
    this.name = name;
    this.experimentId = experiment_id;
    this.sourceRunId = source_run_id;
    this.tags = new Map(tags.map(({ key, value }) => [key, value]));
    this.params = new Map(params.map(({ key, value }) => [key, value]));
  }

  json(id: string) {
    const list = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
    return {
      info: {
        model_id: id,
        experiment_id: this.experimentId,
        name: this.name,
        source_run_id: this.sourceRunId,
        status: this.status,
        artifact_uri: `mlflow-artifacts:/${this.experimentId}/models/${id}/artifacts`,
        creation_timestamp_ms: 1,
        last_updated_timestamp_ms: 1,
        tags: list(this.tags),
      },
      data: { params: list(this.params), metrics: [...this.points.values()] },
    };
  }
}

const unique = () =>
  new FakeRefusal("BAD_REQUEST", "(sqlite3.IntegrityError) UNIQUE constraint failed: inputs.source_type");

export class FakeModels {
  readonly byId = new Map<string, FakeModel>();
  /** The runs and models that have to do with each other, and how. */
  readonly links = new Set<string>();

  /** Null: this is not about models. */
  answer(method: string, endpoint: string, text: unknown, query: URLSearchParams): object | null {
    const body = asked.parse(text);
    if (endpoint === "runs/outputs") return this.#link(body, "output");
    if (endpoint === "runs/log-inputs" && body.models.length > 0) return this.#link(body, "input");
    if (endpoint === "runs/log-batch" && body.metrics.some(({ model_id }) => model_id !== undefined))
      return this.#points(body);
    if (!endpoint.startsWith("logged-models")) return null;
    const [, id = "", part = "", key = ""] = endpoint.split("/");
    if (id === "") return this.#make(body);
    if (id === "search") {
      const [, value = ""] = /= '(.*)'$/.exec(body.filter) ?? [];
      const found = [...this.byId].filter(
        ([one, model]) =>
          model.lifecycle === "active" &&
          (body.filter.includes(`'${one}'`) || model.tags.get("relay.model_id") === value),
      );
      return { models: found.map(([one, model]) => model.json(one)) };
    }
    const model = this.byId.get(id);
    const isHidden = method === "GET" && model?.lifecycle === "deleted" && !query.has("allow_deleted");
    if (!model || isHidden)
      return new FakeRefusal("RESOURCE_DOES_NOT_EXIST", `Logged model with ID '${id}' not found.`, 404);
    return this.#change(id, model, `${method} ${part}`, body, key);
  }

  #make(body: Asked): object {
    const id = `m-${crypto.randomUUID().replaceAll("-", "")}`;
    const model = new FakeModel(body);
    this.byId.set(id, model);
    return { model: model.json(id) };
  }

  #change(id: string, model: FakeModel, what: string, body: Asked, key: string): object {
    switch (what) {
      case "PATCH ":
        model.status = body.status;
        return { model: model.json(id) };
      case "DELETE ":
        model.lifecycle = "deleted";
        return {};
      case "PATCH tags":
        for (const tag of body.tags) model.tags.set(tag.key, tag.value);
        return {};
      case "DELETE tags":
        return model.tags.delete(key)
          ? {}
          : new FakeRefusal("RESOURCE_DOES_NOT_EXIST", `No tag with key '${key}' found`, 404);
      case "POST params":
        if (body.params.some((param) => model.params.has(param.key))) return unique();
        for (const param of body.params) model.params.set(param.key, param.value);
        return {};
      default:
        return { model: model.json(id) };
    }
  }

  #link({ run_id, models }: Asked, kind: "input" | "output"): object {
    const links = models.map(({ model_id, step }) => `${kind} ${run_id} ${model_id} ${step}`);
    if (kind === "output" && links.some((link) => this.links.has(link))) return unique();
    for (const link of links) this.links.add(link);
    return {};
  }

  #points({ run_id, metrics }: Asked): object {
    for (const { model_id = "", ...point } of metrics) {
      const { key, timestamp, step, dataset_name = "" } = point;
      const model = this.byId.get(model_id);
      if (!model)
        return new FakeRefusal("BAD_REQUEST", "(sqlite3.IntegrityError) FOREIGN KEY constraint failed");
      // It has no column for NaN.
      const value = point.value === "NaN" ? 0 : point.value;
      model.points.set(`${key} ${timestamp} ${step} ${run_id} ${dataset_name}`, { ...point, value, run_id });
    }
    return {};
  }
}
