import type * as z from "zod";
import { metricValue } from "./fields.ts";
import { flatten, isMap } from "./flatten.ts";
import { chars, cut, keyProblem, MAX_PARAM_VALUE_CHARS, MAX_TAG_VALUE_CHARS } from "./limits.ts";
import { DESCRIPTION_TAG } from "./merge.ts";
import { type FieldProblem, invalid } from "./problems.ts";
import type { Facts, Json } from "./types.ts";
import { canonicalJson, toWire, type WireNumber } from "./values.ts";
import { type Warning, warning } from "./warnings.ts";

/** Collects what a checked body says, item by item, with the problems and the harmless oddities it meets. */
export class Findings {
  readonly problems: FieldProblem[] = [];
  readonly warnings: Warning[] = [];

  /** Nested numbers as flat metrics. */
  metrics(field: string, map: Record<string, unknown> | undefined): Record<string, WireNumber> {
    const metrics: Record<string, WireNumber> = {};
    for (const { path, key, value } of this.#leaves(field, map)) {
      const problem = keyProblem(key);
      const parsed = metricValue.safeParse(value);
      if (problem) this.problems.push(invalid([field, ...path], `has a name that ${problem}`, key));
      else if (parsed.success) metrics[key] = toWire(parsed.data);
      else this.problems.push(invalid([field, ...path], rule(parsed.error), value));
    }
    return metrics;
  }

  /** Nested parameters as flat text. */
  params(map: Record<string, unknown> | undefined): Record<string, string> {
    const params: Record<string, string> = {};
    for (const { path, key, value } of this.#leaves("parameters", map)) {
      const problem = keyProblem(key);
      const text = asText(value);
      if (problem) this.problems.push(invalid(["parameters", ...path], `has a name that ${problem}`, key));
      else if (chars(text) > MAX_PARAM_VALUE_CHARS)
        this.problems.push(
          invalid(
            ["parameters", ...path],
            `must have at most ${MAX_PARAM_VALUE_CHARS} characters as text`,
            value,
          ),
        );
      else if (!text.isWellFormed() || text.includes("\0"))
        this.problems.push(
          invalid(["parameters", ...path], "must be well-formed text without NUL characters", value),
        );
      else params[key] = text;
    }
    return params;
  }

  /**
   * Metadata as tags `metadata.<key>`. MLflow is no judge of metadata: what it could not take as a tag stays
   * in the journal, and the answer says so.
   */
  metadataTags(map: Record<string, unknown> | undefined): Record<string, string> {
    if (!map) return {};
    const flat = flatten(map);
    if ("rule" in flat) {
      this.warnings.push(warning(["metadata", ...flat.path], map, flat.rule, "not_sent"));
      return {};
    }
    const tags: Record<string, string> = {};
    for (const { path, key, value } of flat.leaves) {
      const name = `metadata.${key}`;
      const problem = keyProblem(name);
      if (problem)
        this.warnings.push(warning(["metadata", ...path], value, `has a name that ${problem}`, "not_sent"));
      else tags[name] = tagValue(value);
    }
    return tags;
  }

  /** The trainer's own tags and the description, which is a tag too. They are sent as they are. */
  ownTags(event: {
    tags?: Record<string, unknown> | undefined;
    description?: string | undefined;
  }): Record<string, string> {
    const tags: Record<string, string> = {};
    for (const [key, value] of Object.entries(event.tags ?? {})) {
      const problem = keyProblem(key) ?? ownerProblem(key);
      if (problem) this.problems.push(invalid(["tags", key], `has a name that ${problem}`, key));
      else if (!TAG_TYPES.has(typeof value))
        this.problems.push(invalid(["tags", key], "must be a string, a number, true or false", value));
      else tags[key] = tagValue(value);
    }
    return event.description === undefined ? tags : { ...tags, [DESCRIPTION_TAG]: event.description };
  }

  #leaves(field: string, map: Record<string, unknown> | undefined) {
    if (!map) return [];
    const flat = flatten(map);
    if ("leaves" in flat) return flat.leaves;
    this.problems.push(invalid([field, ...flat.path], flat.rule, map));
    return [];
  }
}

const TAG_TYPES = new Set(["string", "number", "bigint", "boolean"]);
const OWNED = ["mlflow.", "relay.", "thunderline_"];

/** Why a tag of this name is not a trainer's to set, or null: MLflow and the relay keep their own state in theirs. */
function ownerProblem(key: string): string | null {
  const owner = key === DESCRIPTION_TAG ? undefined : OWNED.find((prefix) => key.startsWith(prefix));
  return owner === undefined
    ? null
    : `must not begin with ${owner}, except ${DESCRIPTION_TAG}: such tags are MLflow's and the relay's own`;
}

/** Tags of the values that are there. */
export function presentTags(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, tagValue(value)]),
  );
}

/** Fields of the values that are there. */
export function presentFields(values: Record<string, unknown>): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, toJson(value)]),
  );
}

/** Leaves out the parts that say nothing; null when nothing is left. */
export function compact(facts: Facts): Facts | null {
  const kept = Object.entries(facts).filter(([, part]) =>
    isMap(part) ? Object.keys(part).length > 0 : part !== undefined,
  );
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

function rule(error: z.ZodError): string {
  return error.issues[0]?.message ?? "is not valid";
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : canonicalJson(value);
}

/** Tags are for people: what a database of MLflow's cannot hold is cut or replaced there, and whole in the journal. */
export function tagValue(value: unknown): string {
  return cut(asText(value).toWellFormed().replaceAll("\0", "\ufffd"), MAX_TAG_VALUE_CHARS);
}

/** Bigints as text: JSON for D1 has no room for them, and nothing computes with them. */
function toJson(value: unknown): Json {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (isMap(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
  return null;
}
