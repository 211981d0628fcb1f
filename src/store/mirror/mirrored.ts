import * as z from "zod";
import { canonicalJson, fromWire, toWire } from "../../domain/values.ts";
import { isBatchTag } from "../../mlflow/plan.ts";
import type { Metric, Run } from "../../mlflow/types.ts";

/** What the mirror keeps of a run beside its columns, and how a changed run is told from an unchanged one. */

const wire = z.union([z.number(), z.string()]);
const texts = z.record(z.string(), z.string());

const mirroredData = z.object({
  params: texts,
  tags: texts,
  /** The latest point by key. A step that no double holds exactly is text. */
  metrics: z.record(z.string(), z.object({ value: wire, step: wire, timestamp: z.number() })),
  inputs: z.array(
    z.object({
      name: z.string(),
      digest: z.string(),
      source_type: z.string(),
      source: z.string(),
      tags: texts,
    }),
  ),
  /** How many of each were left out, because a row of the database holds only so much; null: none. */
  truncated: z
    .object({ params: z.number(), tags: z.number(), metrics: z.number(), inputs: z.number() })
    .nullable(),
});

/** The parameters, tags, latest metrics and inputs of a run, as the mirror has them. */
export type MirroredData = z.output<typeof mirroredData>;

/** Null: the run was never pulled. */
export function readMirrored(text: string | null): MirroredData | null {
  return text === null ? null : mirroredData.parse(JSON.parse(text));
}

/** The latest point of each metric that was pulled. A step that no double holds exactly is the nearest that one holds. */
export function pulledMetrics(data: MirroredData | null) {
  return Object.entries(data?.metrics ?? {}).map(([key, { value, step, timestamp }]) => ({
    key,
    value: fromWire(value),
    step: Number(step),
    timestamp,
  }));
}

/** A row of D1 and a parameter of a statement hold 2 MB each. */
const MAX_DATA_BYTES = 1_500_000;
const MAX_UTF8_BYTES_A_CHAR = 3;

/** A run's data for the mirror: all of it, or what fits, with the number of those left out. */
export function toMirrored({ data, inputs }: Run): MirroredData {
  const whole: MirroredData = {
    params: toRecord(data.params),
    tags: toRecord(data.tags),
    metrics: Object.fromEntries(data.metrics.toSorted(byKey).map((metric) => [metric.key, latest(metric)])),
    inputs: inputs.datasets
      .map(({ name, digest, sourceType, source, tags }) => ({
        name,
        digest,
        source_type: sourceType,
        source,
        tags: toRecord(tags),
      }))
      .toSorted((a, b) => compare(a.name, b.name) || compare(a.digest, b.digest)),
    truncated: null,
  };
  const isSmall = JSON.stringify(whole).length * MAX_UTF8_BYTES_A_CHAR <= MAX_DATA_BYTES;
  return isSmall ? whole : truncate(whole);
}

function truncate({ params, tags, metrics, inputs }: MirroredData): MirroredData {
  let left = MAX_DATA_BYTES;
  const fits = (item: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(item)).length;
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
  // Tags first, which tell whose the run is.
  const fitting = {
    tags: Object.entries(tags).filter(fits),
    params: Object.entries(params).filter(fits),
    metrics: Object.entries(metrics).filter(fits),
    inputs: inputs.filter(fits),
  };
  const out = {
    params: Object.keys(params).length - fitting.params.length,
    tags: Object.keys(tags).length - fitting.tags.length,
    metrics: Object.keys(metrics).length - fitting.metrics.length,
    inputs: inputs.length - fitting.inputs.length,
  };
  return {
    params: Object.fromEntries(fitting.params),
    tags: Object.fromEntries(fitting.tags),
    metrics: Object.fromEntries(fitting.metrics),
    inputs: fitting.inputs,
    truncated: Object.values(out).some((count) => count > 0) ? out : null,
  };
}

const HASH_CHARS = 32;

export type Hashes = { hash: string; metricsHash: string };

/**
 * The hashes of everything that was pulled of a run, the same in whatever order MLflow lists it: of all but the
 * metrics, and of the metrics. The tag of the last batch goes with the metrics that it came with.
 */
export async function hashesOf(run: Run): Promise<{ run: Run; hashes: Hashes }> {
  const { info, data, inputs } = run;
  const isOfBatch = ({ key }: { key: string }) => isBatchTag(key);
  const apart = {
    info,
    params: data.params.toSorted(byKey),
    tags: data.tags.filter((tag) => !isOfBatch(tag)).toSorted(byKey),
    inputs: inputs.datasets
      .map((dataset) => canonicalJson({ ...dataset, tags: dataset.tags.toSorted(byKey) }))
      .sort(),
  };
  const metrics = {
    points: data.metrics.toSorted(byKey).map((metric) => ({ key: metric.key, ...latest(metric) })),
    batch: data.tags.filter(isOfBatch),
  };
  const [hash, metricsHash] = await Promise.all([
    digest(canonicalJson(apart)),
    digest(canonicalJson(metrics)),
  ]);
  return { run, hashes: { hash, metricsHash } };
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return bytes.toHex().slice(0, HASH_CHARS);
}

function latest({ value, step, timestamp }: Metric) {
  return { value: toWire(value), step: typeof step === "bigint" ? String(step) : step, timestamp };
}

function toRecord(pairs: readonly { key: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(pairs.toSorted(byKey).map(({ key, value }) => [key, value]));
}

function byKey(a: { key: string }, b: { key: string }): number {
  return compare(a.key, b.key);
}

/** By code units: the same on every machine. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
