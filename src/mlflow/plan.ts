import { BATCH_MAX_BYTES, BATCH_MAX_ITEMS, BATCH_MAX_PARAMS, BATCH_MAX_TAGS } from "../domain/limits.ts";
import type { WireNumber } from "../domain/values.ts";
import type { Run } from "./types.ts";

/** The items of one log-batch, as they are stored with the intent and sent. Numbers are `WireNumber`s. */
export type Items = {
  metrics: { key: string; value: WireNumber; timestamp: number; step: number }[];
  params: { key: string; value: string }[];
  tags: { key: string; value: string }[];
};

/** The tag that proves a batch is in: MLflow writes tags last. There are a few, so that a few can wait to be seen. */
const BATCH_TAG = "relay.batch";

export function batchTag(slot: number): string {
  return slot === 0 ? BATCH_TAG : `${BATCH_TAG}.${slot}`;
}

export function isBatchTag(key: string): boolean {
  return key === BATCH_TAG || key.startsWith(`${BATCH_TAG}.`);
}

/** Whether a run shows a batch's token, whichever of the tags holds it. */
export function hasToken({ data }: Pick<Run, "data">, token: string): boolean {
  return data.tags.some(({ value }) => value === token);
}

/** One tag of every batch is the token. */
const TOKEN_TAGS = 1;
/** Points in a batch that holds nothing else. */
export const FULL_BATCH_POINTS = BATCH_MAX_ITEMS - TOKEN_TAGS;
const TOKEN_BYTES = 100;
/** Keys are counted as text; this covers the braces, names and numbers of one item. */
const ITEM_BYTES = 90;

/**
 * Packs items into as few batches as MLflow's limits allow (1000 items, 100 parameters, 100 tags, 1 MB),
 * parameters first. Pure; keeps the order within each kind; no items give no batches.
 */
export function packBatches(items: Items): Items[] {
  const batches: Items[] = [];
  let batch: Items = { metrics: [], params: [], tags: [] };
  let size = TOKEN_BYTES;
  const room = (bytes: number, isKindFull = false): Items => {
    if (isKindFull || countOf(batch) + TOKEN_TAGS >= BATCH_MAX_ITEMS || size + bytes > BATCH_MAX_BYTES) {
      batches.push(batch);
      batch = { metrics: [], params: [], tags: [] };
      size = TOKEN_BYTES;
    }
    size += bytes;
    return batch;
  };
  for (const param of items.params) {
    const bytes = bytesOf(param.key) + bytesOf(param.value) + ITEM_BYTES;
    room(bytes, batch.params.length >= BATCH_MAX_PARAMS).params.push(param);
  }
  for (const tag of items.tags) {
    const bytes = bytesOf(tag.key) + bytesOf(tag.value) + ITEM_BYTES;
    room(bytes, batch.tags.length + TOKEN_TAGS >= BATCH_MAX_TAGS).tags.push(tag);
  }
  for (const metric of items.metrics) room(bytesOf(metric.key) + ITEM_BYTES).metrics.push(metric);
  if (countOf(batch) > 0) batches.push(batch);
  return batches;
}

/** How many items a batch holds, without its token. */
export function countOf(items: Items): number {
  return items.metrics.length + items.params.length + items.tags.length;
}

/** Cuts a batch into pieces of at most `size` items, parameters first, as a batch is written. */
export function pieces(items: Items, size: number): Items[] {
  const singles: Items[] = [
    ...items.params.map((param) => ({ metrics: [], params: [param], tags: [] })),
    ...items.metrics.map((metric) => ({ metrics: [metric], params: [], tags: [] })),
    ...items.tags.map((tag) => ({ metrics: [], params: [], tags: [tag] })),
  ];
  const count = Math.ceil(singles.length / size);
  return Array.from({ length: count }, (_, i) => joined(singles.slice(i * size, (i + 1) * size)));
}

function joined(parts: Items[]): Items {
  return {
    metrics: parts.flatMap((part) => part.metrics),
    params: parts.flatMap((part) => part.params),
    tags: parts.flatMap((part) => part.tags),
  };
}

/** UTF-8 bytes of a text within JSON, where a character may be escaped to six. */
function bytesOf(text: string): number {
  return /^[\w\-./: ]*$/.test(text) ? text.length : JSON.stringify(text).length * 3;
}
