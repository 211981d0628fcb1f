import { type Attribute, type Language, numberNamed, textNamed } from "./language.ts";

const attributes = new Map<string, Attribute>([
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
  attributes,
  sortable: attributes,
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
