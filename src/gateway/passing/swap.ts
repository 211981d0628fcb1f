import { isStraight } from "../../domain/artifact-path.ts";
import { ownerAt } from "./path.ts";

/**
 * Where ids stand in what goes to MLflow and comes back, and how they are put in for each other. It is gone through twice:
 * to see which ids there are, and, once they are known, to swap them.
 */
export type Swap = {
  run: (id: string) => string;
  experiment: (id: string) => string;
  model: (id: string) => string;
  /** The artifact root of a run or logged model; null where it is to stay as it is. */
  root: (id: string) => string | null;
};

type Text = (text: string, swap: Swap) => string;

const run: Text = (text, swap) => swap.run(text);
const experiment: Text = (text, swap) => swap.experiment(text);
const model: Text = (text, swap) => (MODEL_ID.test(text) ? swap.model(text) : text);

const SCHEME = "mlflow-artifacts:";
/** An authority, which clients may put in, names no other server. */
const ARTIFACT_URI = /mlflow-artifacts:(?:\/\/[^/\s"']*)?\/([^\s"'?#]+)/g;
const RUN_URI = /(runs:\/)([0-9a-f]{32})\b/g;
const MODEL_URI = /(models:\/)(m-[0-9a-f]{32})\b/g;
/** A pattern of a comparison may be open on either side. */
const QUOTED_ID = /(["']%?)((?:m-)?[0-9a-f]{32}|9\d{17})(?=%?["'])/g;
const LISTED_RUN_ID = /(?<![^,\s])[0-9a-f]{32}(?![^,\s])/g;
const RUN_ID = /^[0-9a-f]{32}$/;
const MODEL_ID = /^m-[0-9a-f]{32}$/;
const MINTED_EXPERIMENT = /^9\d{17}$/;

/** In texts that may hold an address of artifacts. */
export const swapUris: Text = (text, swap) =>
  text
    .replace(ARTIFACT_URI, (uri, path: string) => {
      const swapped = swapRoot(path.split("/"), swap);
      return swapped === null ? uri : swapped;
    })
    .replace(RUN_URI, (_, scheme: string, id: string) => `${scheme}${swap.run(id)}`)
    .replace(MODEL_URI, (_, scheme: string, id: string) => `${scheme}${swap.model(id)}`);

/** Ids with commas between them. */
const runs: Text = (text, swap) => text.replace(LISTED_RUN_ID, swap.run);

/** What a filter is split at: texts in quotes, which hold no AND, and ANDs. */
const QUOTED_OR_AND = /('[^']*'|"[^"]*"|`[^`]*`|\band\b)/i;
const AND = /^and$/i;
/** A comparison with a tag, parameter or the like that somebody named, whose text is as it was said. */
const OF_OWN_NAME = /^\s*(?:trace\.)?(?!(?:attr|attributes?|run|trace)\.)\w+\.(?!["`]?mlflow\.)/i;

/** Values in quotes that are ids, or addresses with ids. */
const swapFilter: Text = (text, swap) =>
  comparisonsIn(text)
    .map((comparison) =>
      OF_OWN_NAME.test(comparison)
        ? comparison
        : swapUris(comparison, swap).replace(QUOTED_ID, (_, open: string, id: string) => {
            return `${open}${swapId(id, swap)}`;
          }),
    )
    .join("");

/** With the ANDs between them. */
function comparisonsIn(filter: string): string[] {
  const found: string[] = [];
  let comparison = "";
  for (const piece of filter.split(QUOTED_OR_AND)) {
    if (!AND.test(piece)) comparison += piece;
    else {
      found.push(comparison, piece);
      comparison = "";
    }
  }
  return [...found, comparison];
}

/** The fields of MLflow's protocol, in JSON, queries and GraphQL, and the tags of its own that hold ids. */
const FIELDS = new Map<string, Text>([
  ...named(run, "run_id run_uuid run_ids source_run_id parent_run_id runId runUuid runIds sourceRunId"),
  ...named(run, "mlflow.parentRunId mlflow.sourceRun mlflow.assessment.sourceRunId"),
  ...named(runs, "mlflow.prompt.associatedRunIds mlflow.prompt.run_ids"),
  ...named(model, "model_id model_ids source_model_id modelId modelIds mlflow.modelId"),
  ...named(experiment, "experiment_id experiment_ids experimentId experimentIds"),
  ...named(swapUris, "artifact_uri artifact_location artifactUri artifactLocation root_uri rootUri"),
  ...named(swapUris, "source storage_location model_uri uri mlflow.artifactLocation"),
  ...named(swapFilter, "filter filter_string filterString filters query"),
  ...named(swapFilter, "base_filter filter_string1 filter_string2"),
]);

function named(text: Text, names: string): [string, Text][] {
  return names.split(" ").map((name) => [name, text]);
}

/** The value of a field, such as one in a query. */
export function swapField(name: string, value: string, swap: Swap): string {
  return FIELDS.get(name)?.(value, swap) ?? value;
}

/** The same JSON with other ids; the very same where there are none. */
export function swapIn<T>(value: T, swap: Swap): T;
export function swapIn(value: unknown, swap: Swap): unknown {
  if (Array.isArray(value))
    return unlessSame(
      value,
      value.map((item) => swapIn(item, swap)),
    );
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value);
  const pair = "key" in value && typeof value.key === "string" ? tagOf(value.key) : undefined;
  const swapped = fields.map(([name, field]): [string, unknown] => {
    const text = FIELDS.get(name) ?? (name === "value" ? pair : undefined);
    return [name, text ? swapAll(field, text, swap) : swapIn(field, swap)];
  });
  return swapped.every(([, field], i) => field === fields[i]?.[1]) ? value : Object.fromEntries(swapped);
}

/** Whoever gave a tag or parameter a name of their own means its text as it is. */
function tagOf(key: string): Text | undefined {
  return key.startsWith("mlflow.") ? FIELDS.get(key) : undefined;
}

function unlessSame(items: readonly unknown[], swapped: readonly unknown[]): readonly unknown[] {
  return swapped.every((item, i) => item === items[i]) ? items : swapped;
}

function swapAll(value: unknown, text: Text, swap: Swap): unknown {
  if (typeof value === "string") return text(value, swap);
  if (Array.isArray(value))
    return unlessSame(
      value,
      value.map((item) => swapAll(item, text, swap)),
    );
  return swapIn(value, swap);
}

/** The segments of an address with other ids. */
export function swapSegments(segments: readonly string[], swap: Swap): string[] {
  return segments.map((segment) => swapId(segment, swap));
}

/** What is none of them stays as it is. */
function swapId(id: string, swap: Swap): string {
  if (RUN_ID.test(id)) return swap.run(id);
  if (MODEL_ID.test(id)) return swap.model(id);
  return MINTED_EXPERIMENT.test(id) ? swap.experiment(id) : id;
}

/**
 * The address of a path below MLflow's artifact proxy, such as `<experiment>/<run>/artifacts/model`: below the root of its
 * run where it has one, which may be anywhere.
 */
export function swapArtifactPath(segments: readonly string[], swap: Swap): string {
  return swapRoot(segments, swap) ?? `${SCHEME}/${segments.join("/")}`;
}

/** The path below MLflow's artifact proxy; null where the address is one that it does not serve, or leads out of it. */
export function pathBelowProxy(uri: string): string | null {
  if (!uri.startsWith(SCHEME)) return null;
  const path = uri
    .slice(SCHEME.length)
    .replace(/^\/\/[^/]*/, "")
    .replace(/^\//, "");
  return isStraight(path) ? path : null;
}

function swapRoot(segments: readonly string[], swap: Swap): string | null {
  const at = ownerAt(segments);
  const root = at < 0 ? null : swap.root(segments[at] ?? "");
  if (root !== null) return [root.replace(/\/+$/, ""), ...segments.slice(at + 2)].join("/");
  const [first = "", ...rest] = segments;
  const swapped = /^\d+$/.test(first) ? swap.experiment(first) : first;
  if (swapped === first) return null;
  return `${SCHEME}/${[swapped, ...rest].join("/")}`;
}
