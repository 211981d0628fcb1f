import { toNumber } from "./coerce.ts";
import { metricValue } from "./fields.ts";
import { flatten, isMap, valueAt } from "./flatten.ts";
import type { NumberTexts } from "./json.ts";
import type { Doubled } from "./json-names.ts";
import { keyProblem, MAX_PARAM_VALUE_CHARS, MAX_TAG_VALUE_CHARS } from "./limits.ts";
import { DESCRIPTION_TAG } from "./merge.ts";
import { MODEL_ARTIFACT_PREFIX } from "./model-artifact.ts";
import { type FieldProblem, MAX_SAID } from "./problems.ts";
import { pythonText } from "./python.ts";
import { readText } from "./text.ts";
import type { Facts, Json } from "./types.ts";
import { canonicalJson, toWire, type WireNumber } from "./values.ts";
import { type Warning, warning } from "./warnings.ts";

type Map = Record<string, unknown>;
type Tagged = { tags?: Map | undefined; description?: string | undefined; metadata?: Map | undefined };

/**
 * Collects what a checked body says. Each leaf of its maps is judged alone: it is taken, taken in another form, cut, or
 * left out, and all but the first is a warning, so that one bad detail never costs the event.
 */
export class Findings {
  readonly problems: FieldProblem[] = [];
  readonly warnings: Warning[] = [];
  /** How many warnings there were beyond those, and problems beyond `problems`. */
  unsaid = 0;
  moreProblems = 0;

  readonly #texts: NumberTexts;

  /** @param texts of the body's numbers, for its parameters */
  constructor(texts: NumberTexts) {
    this.#texts = texts;
  }

  /** What is over the limit is done all the same, and not said. */
  warn(path: readonly PropertyKey[], value: unknown, rule: string, action: Warning["action"]): void {
    if (this.isFull) this.unsaid++;
    else this.warnings.push(warning(path, value, rule, action));
  }

  /** What the body's text had more than once: nobody can tell which one was meant. */
  doubled({ paths, more }: Doubled, body: unknown): void {
    for (const path of paths)
      this.warn(path, valueAt(body, path), "must be there once; the last one stands", "left_out");
    this.unsaid += more;
  }

  get isFull(): boolean {
    return this.warnings.length >= MAX_SAID;
  }

  /** Nested numbers as flat metrics. */
  metrics(map: Map | undefined): Record<string, WireNumber> {
    const metrics: Record<string, WireNumber> = {};
    for (const { path, key, value, problem } of flatten(map ?? {})) {
      const refused = problem ?? nameProblem(key);
      if (refused !== null) this.warn(["metrics", ...path], value, refused, "left_out");
      else {
        const number = this.metric(["metrics", ...path], value);
        if (number !== undefined) metrics[key] = number;
      }
    }
    return metrics;
  }

  /** One metric's value; undefined where it is left out. */
  metric(path: readonly string[], value: unknown): WireNumber | undefined {
    const parsed = metricValue.safeParse(value);
    if (parsed.success) {
      if (typeof value === "bigint" && BigInt(parsed.data) !== value)
        this.warn(path, value, "must be a number that a 64-bit float holds exactly", "converted");
      return toWire(parsed.data);
    }
    const rule = parsed.error.issues[0]?.message ?? "must be a number";
    const number = toNumber(value);
    this.warn(path, value, rule, number === undefined ? "left_out" : "converted");
    return number === undefined ? undefined : toWire(number);
  }

  /** Nested parameters as flat text, as MLflow's own client would write them, since MLflow compares it. */
  params(map: Map | undefined): Record<string, string> {
    const params: Record<string, string> = {};
    for (const { path, key, value, holder, problem } of flatten(map ?? {})) {
      const refused = problem ?? nameProblem(key);
      if (refused !== null) this.warn(["parameters", ...path], value, refused, "left_out");
      else {
        const text = pythonText(value, holder, path.at(-1) ?? "", this.#texts);
        params[key] = this.#text(["parameters", ...path], text, MAX_PARAM_VALUE_CHARS);
      }
    }
    return params;
  }

  /** Metadata as tags `metadata.<key>`. It is whole in the journal, whatever MLflow could not take as a tag. */
  #metadataTags(map: Map | undefined): Record<string, string> {
    const tags: Record<string, string> = {};
    for (const { path, key, value, problem } of flatten(map ?? {})) {
      const name = `metadata.${key}`;
      const refused = problem ?? nameProblem(name);
      if (refused !== null) this.warn(["metadata", ...path], value, refused, "not_sent");
      else tags[name] = this.#text(["metadata", ...path], value, MAX_TAG_VALUE_CHARS);
    }
    return tags;
  }

  #ownTags(map: Map | undefined): Record<string, string> {
    const tags: Record<string, string> = {};
    for (const [key, value] of Object.entries(map ?? {})) {
      const refused = nameProblem(key) ?? ownerProblem(key);
      if (refused !== null) this.warn(["tags", key], value, refused, "left_out");
      else if (!TAG_TYPES.has(typeof value))
        this.warn(["tags", key], value, "must be a string, a number, true or false", "left_out");
      else tags[key] = this.#text(["tags", key], value, MAX_TAG_VALUE_CHARS);
    }
    return tags;
  }

  /** All tags of an event, the description among them. What a field says stands over one of `tags` with its name. */
  tags(event: Tagged, fields: Map): Record<string, string> {
    const own = this.#ownTags(event.tags);
    const { description } = event;
    const others = {
      ...(description === undefined ? {} : { [DESCRIPTION_TAG]: description }),
      ...this.fieldTags(fields),
      ...this.#metadataTags(event.metadata),
    };
    for (const [key, value] of Object.entries(others))
      if (Object.hasOwn(own, key) && own[key] !== value)
        this.warn(
          ["tags", key],
          event.tags?.[key],
          "must not have the name of another tag of its event",
          "left_out",
        );
    return { ...own, ...others };
  }

  /** Tags of the fields that are there. They are whole in the journal. */
  fieldTags(fields: Map): Record<string, string> {
    return Object.fromEntries(
      Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, this.#text([name], value, MAX_TAG_VALUE_CHARS)]),
    );
  }

  /** For an event that says nothing else: what was left out of these fields is what is wrong with it. */
  refuse(fields: RegExp): void {
    this.moreProblems = this.unsaid;
    for (const { field, value, rule, action } of this.warnings)
      if (action === "left_out" && fields.test(field)) this.problems.push({ field, value, rule });
  }

  #text(path: readonly string[], value: unknown, max: number): string {
    const { text, change } = readText(asText(value), max);
    if (change) this.warn(path, value, change.rule, change.action);
    return text;
  }
}

const TAG_TYPES = new Set(["string", "number", "bigint", "boolean"]);
const OWNED = ["mlflow.", "relay.", "thunderline_", MODEL_ARTIFACT_PREFIX];
/** MLflow's own tags that only say where a run comes from: trainers know better than the relay. */
const GIVEN = [DESCRIPTION_TAG, "mlflow.user", "mlflow.source.", "mlflow.project."];

function nameProblem(key: string): string | null {
  const problem = keyProblem(key);
  return problem === null ? null : `has a name that ${problem}`;
}

/** Why a tag of this name is not a trainer's to set, or null: MLflow and the relay keep their own state in theirs. */
function ownerProblem(key: string): string | null {
  if (GIVEN.some((given) => (given.endsWith(".") ? key.startsWith(given) : key === given))) return null;
  const owner = OWNED.find((prefix) => key.startsWith(prefix));
  return owner === undefined
    ? null
    : `has a name that must not begin with ${owner}: such tags are MLflow's and the relay's own, except ${GIVEN.join(", ")}`;
}

/** Text of the numbers that are there. */
export function presentTexts(values: Record<string, number | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
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
  const filled = Object.entries(facts).filter(([, part]) =>
    isMap(part) ? Object.keys(part).length > 0 : part !== undefined,
  );
  return filled.length === 0 ? null : Object.fromEntries(filled);
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : canonicalJson(value);
}

/** A value as a tag in MLflow. */
export function tagValue(value: unknown): string {
  return readText(asText(value), MAX_TAG_VALUE_CHARS).text;
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
