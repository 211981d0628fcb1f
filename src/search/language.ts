/** Whatever can be compared or sorted by. */
export type Entity = "metric" | "parameter" | "tag" | "attribute" | "dataset";

/** An attribute by the name that rows have it under. */
export type Attribute = { name: string; type: "text" | "number" };

const text = (name: string) => [name, { name, type: "text" }] as const;
const number = (name: string) => [name, { name, type: "number" }] as const;
const words = (entity: Entity, ...given: string[]) =>
  given.flatMap((word) => [[word, entity] as const, [`\`${word}\``, entity] as const]);

const started: Attribute = { name: "start_time", type: "number" };
const named: Attribute = { name: "run_name", type: "text" };

/** The vocabulary of runs/search (mlflow/utils/search_utils.py of MLflow 3.17): what may stand before the first dot. */
export const ENTITIES: ReadonlyMap<string, Entity> = new Map([
  ...words("metric", "metric", "metrics"),
  ...words("parameter", "parameter", "parameters", "param", "params"),
  ...words("tag", "tag", "tags"),
  ...words("attribute", "attribute", "attributes", "attr", "run"),
  ...words("dataset", "dataset", "datasets"),
]);

/** By every name that order_by may give them. */
export const SORTABLE: ReadonlyMap<string, Attribute> = new Map<string, Attribute>([
  ...["run_id", "run_name", "user_id", "status", "artifact_uri"].map(text),
  ...["start_time", "end_time"].map(number),
  ["created", started],
  ["Created", started],
]);

/** By every name that a filter may give them. */
export const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map([
  ...SORTABLE,
  ["run name", named],
  ["Run name", named],
  ["Run Name", named],
]);
