import { type Attribute, type Entity, type Language, numberNamed, textNamed } from "./language.ts";
import { pythonList } from "./refusal.ts";

const words = (entity: Entity, ...given: string[]) =>
  given.flatMap((word) => [[word, entity] as const, [`\`${word}\``, entity] as const]);

const started: Attribute = { name: "start_time", type: "number" };
const named: Attribute = { name: "run_name", type: "text" };

const sortable = new Map<string, Attribute>([
  ...["run_id", "run_name", "user_id", "status", "artifact_uri"].map(textNamed),
  ...["start_time", "end_time"].map(numberNamed),
  ["created", started],
  ["Created", started],
]);

/** The language of runs/search. */
export const RUNS: Language = {
  entities: new Map([
    ...words("metric", "metric", "metrics"),
    ...words("parameter", "parameter", "parameters", "param", "params"),
    ...words("tag", "tag", "tags"),
    ...words("attribute", "attribute", "attributes", "attr", "run"),
    ...words("dataset", "dataset", "datasets"),
  ]),
  attributes: new Map([...sortable, ["run name", named], ["Run name", named], ["Run Name", named]]),
  sortable,
  listed: "run_id",
  nullable: ["tag", "parameter"],
  ignoresCase: true,
  says: {
    unknownEntity: (word) =>
      `Invalid entity type '${word}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`,
    leftOver: (clauses) =>
      `Invalid clause(s) in filter string: ${clauses.map((clause) => `'${clause}'`).join(", ")}`,
    neverNull: ({ entity, key }) =>
      `IS NULL / IS NOT NULL is only supported for tags and params, not for '${entity}' '${key}'`,
    unsortable: ({ entity }) => (entity === "dataset" ? "Invalid identifier type 'dataset'" : null),
    // An answer of 500, in MLflow.
    repeated: (clauses) => `\`order_by\` contains duplicate fields: ${pythonList(clauses)}`,
  },
};

const experimentAttributes = new Map<string, Attribute>([
  ...["name", "experiment_id"].map(textNamed),
  ...["creation_time", "last_update_time"].map(numberNamed),
]);

/** The language of experiments/search. */
export const EXPERIMENTS: Language = {
  entities: new Map([
    ["attribute", "attribute"],
    ["tag", "tag"],
    ["tags", "tag"],
  ]),
  attributes: experimentAttributes,
  sortable: experimentAttributes,
  listed: "experiment_id",
  nullable: ["tag"],
  ignoresCase: false,
  says: {
    unknownEntity: (word) =>
      `Invalid entity type '${word}'. Valid entity types are ('attribute', 'tag', 'tags')`,
    leftOver: (clauses) => `Invalid clause(s) in filter string: ${clauses.join(", ")}`,
    neverNull: ({ key }) => `IS NULL / IS NOT NULL is only supported for tags, not for attribute '${key}'`,
    unsortable: ({ entity }) => (entity === "attribute" ? null : `Invalid order_by entity: ${entity}`),
    repeated: () => null,
  },
};
