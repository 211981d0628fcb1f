import type { Attribute, Entity, Language } from "./language.ts";
import { pythonSet, SearchRefusal } from "./refusal.ts";

const DATASET_KEYS = ["name", "digest", "context"];

/** Of whom a clause or an order speaks. `key` is as it was given; an attribute is looked up by it. */
export type Subject =
  | { entity: Exclude<Entity, "attribute">; key: string }
  | { entity: "attribute"; key: string; attribute: Attribute };

/**
 * What an identifier names: `metrics.a.b`, `` tags.`a b` ``, `status`. The key is everything behind the first dot.
 * @param attributes those of the language that may be named here
 * @throws SearchRefusal if there is no such thing
 */
export function subjectOf(
  identifier: string,
  language: Language,
  attributes: ReadonlyMap<string, Attribute>,
): Subject {
  const dot = identifier.indexOf(".");
  const entity = dot < 0 ? "attribute" : entityOf(identifier.slice(0, dot), language);
  const key = unquoted(unquoted(identifier.slice(dot + 1), "'", '"'), "`");
  if (entity === "dataset" && !DATASET_KEYS.includes(key))
    throw new SearchRefusal(
      `Invalid dataset key '${key}' specified. Valid keys are '${pythonSet(DATASET_KEYS)}'`,
    );
  if (entity !== "attribute") return { entity, key };
  const attribute = attributes.get(key);
  if (attribute) return { entity, key, attribute };
  throw new SearchRefusal(
    `Invalid attribute key '${key}' specified. Valid keys are '${pythonSet(attributes.keys())}'`,
  );
}

function entityOf(word: string, { entities, says }: Language): Entity {
  const entity = entities.get(word);
  if (entity) return entity;
  throw new SearchRefusal(says.unknownEntity(word));
}

/** The text within one of these quotes, or as it is if it stands in none. */
export function unquoted(text: string, ...quotes: string[]): string {
  const isQuoted = quotes.some((q) => text.length >= 2 && text.startsWith(q) && text.endsWith(q));
  return isQuoted ? text.slice(1, -1) : text;
}
