/** Whatever can be compared or sorted by. */
export type Entity = "metric" | "parameter" | "tag" | "attribute" | "dataset";

/** An attribute by the name that rows have it under. */
export type Attribute = { name: string; type: "text" | "number" };

/** Of whom a clause or an order speaks, as it was given. */
export type Named = { entity: Entity; key: string };

/** The vocabulary of one of MLflow's searches (mlflow/utils/search_utils.py of MLflow 3.17), and what it says of faults. */
export type Language = {
  /** What may stand before the first dot of a key. */
  entities: ReadonlyMap<string, Entity>;
  /** By every name that a filter may give them. */
  attributes: ReadonlyMap<string, Attribute>;
  /** By every name that order_by may give them. */
  sortable: ReadonlyMap<string, Attribute>;
  /** The attribute that is compared with lists. */
  listed: string;
  /** What may be asked to be there or not. */
  nullable: readonly Entity[];
  /** Whether comparators are the same in lower case. */
  ignoresCase: boolean;
  says: {
    unknownEntity(word: string): string;
    leftOver(clauses: readonly string[]): string;
    neverNull(subject: Named): string;
    /** Null: it can be sorted by. */
    unsortable(subject: Named): string | null;
    /** Of terms with one field twice; null: that is no fault. */
    repeated(clauses: readonly string[]): string | null;
  };
};

/** For the maps of a language: an attribute under its own name. */
export const textNamed = (name: string): [string, Attribute] => [name, { name, type: "text" }];
/** The same of a number. */
export const numberNamed = (name: string): [string, Attribute] => [name, { name, type: "number" }];
