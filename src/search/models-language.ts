import { type Attribute, type Language, numberNamed, textNamed } from "./language.ts";

const made: Attribute = { name: "creation_timestamp_ms", type: "number" };
const updated: Attribute = { name: "last_updated_timestamp_ms", type: "number" };

const attributes = new Map<string, Attribute>([
  ...["name", "model_id", "model_type", "source_run_id", "experiment_id", "artifact_location"].map(textNamed),
  ...["creation_timestamp_ms", "last_updated_timestamp_ms"].map(numberNamed),
  ["creation_time", made],
  ["creation_timestamp", made],
  ["last_updated_timestamp", updated],
]);

/** The language of logged-models/search (mlflow/utils/search_logged_model_utils.py), whose order is no text. */
export const MODELS: Language = {
  entities: new Map([
    ["attributes", "attribute"],
    ["metrics", "metric"],
    ["params", "parameter"],
    ["tags", "tag"],
  ]),
  attributes,
  sortable: attributes,
  listed: "source_run_id",
  nullable: [],
  ignoresCase: true,
  says: {
    unknownEntity: (word) =>
      `Invalid entity type: '${word}'. Expected one of ['attributes', 'metrics', 'params', 'tags'].`,
    leftOver: (clauses) =>
      `Invalid filter string: ${clauses.join(" ")}. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').`,
    neverNull: ({ key }) => `Invalid comparison: ${key}. Expected a comparison with 3 tokens.`,
    unsortable: () => null,
    repeated: () => null,
  },
};

const OF_NUMBERS = ["<", "<=", ">", ">=", "=", "!="];
const OF_TEXTS = ["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"];

/** The comparators that a key takes. */
export function comparatorsOf(isNumber: boolean): readonly string[] {
  return isNumber ? OF_NUMBERS : OF_TEXTS;
}
