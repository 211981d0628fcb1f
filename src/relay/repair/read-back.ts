import {
  comparePoints,
  type ExpectedPoint,
  type FoundPoint,
  type PointDifferences,
} from "../../domain/compare.ts";
import type { Failure, Result } from "../../mlflow/failure.ts";
import { storedValue } from "../../mlflow/json.ts";
import type { Metric, Run } from "../../mlflow/types.ts";
import {
  expectedKeys,
  expectedPoints,
  expectedRest,
  type Place,
  streamRow,
  type Window,
  windowEnd,
} from "../../store/readback/expected.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { accountFor } from "./account.ts";

/**
 * Reading MLflow back. It takes no lease, so delivery may go on meanwhile: the watermark is taken before MLflow is
 * read and the journal is read after it. So whatever MLflow shows that came through the relay is in the journal, and
 * whatever the watermark covers must be in MLflow.
 */

/** Points held in memory at once, of either side. */
const WINDOW_POINTS = 100_000;
const GROUP_KEYS = 200;
/** A Worker has six connections at once; delivery wants some too. */
const PARALLEL = 4;

export type ReadDeps = Pick<Deps, "db" | "mlflow" | "now">;

/** A run and what it must hold. `before` is the stream as it was before the run was read. */
export type Opened = {
  before: StreamRow;
  upto: number;
  run: Run;
  expected: Awaited<ReturnType<typeof expectedRest>>;
};

export type Opening =
  | ({ kind: "open" } & Opened)
  /** No run of the stream is known. */
  | { kind: "no run" }
  | { kind: "gone"; before: StreamRow; runId: string }
  | { kind: "unreachable"; failure: Pick<Failure, "message"> };

/**
 * Reads the stream's run.
 * @param upto the watermark to compare by, from an earlier helping; null for the present one
 */
export async function openRun(deps: ReadDeps, streamId: number, upto: number | null): Promise<Opening> {
  const before = await streamRow(deps.db, streamId);
  if (!before || before.mlflowRunId === null) return { kind: "no run" };
  const runId = before.mlflowRunId;
  const run = await deps.mlflow.getRun(runId);
  if (!run.ok)
    return run.failure.kind === "gone"
      ? { kind: "gone", before, runId }
      : { kind: "unreachable", failure: run.failure };
  const seq = upto ?? before.deliveredSeq;
  const expected = await expectedRest(deps.db, before, seq, run.value.info.startTime);
  return { kind: "open", before, upto: seq, run: run.value, expected };
}

/** Where to go on: after this place of this key; without a place, after the key. */
export type HistoryPlace = { key: string; after: Place | null };
export type KeyDifferences = PointDifferences & { key: string; next: HistoryPlace };

/**
 * Compares all points of a run, key by key; a long history in several parts. Ends with a failure if there is one.
 * What else was logged into a run of the trainer's own is not the relay's to judge, nor are points that are pruned
 * here.
 * @param windowPoints how many points of either side are held at once
 */
export async function* compareKeys(
  deps: ReadDeps,
  opened: Opened,
  from: HistoryPlace | null,
  windowPoints = WINDOW_POINTS,
): AsyncGenerator<Result<KeyDifferences>> {
  const { before, run } = opened;
  const judgesExtra = !before.adopted && opened.expected.stream.prunedAt === null;
  const standing = accountFor(opened.expected, opened.upto).point;
  for (const group of groupsOf(await allKeys(deps.db, opened, judgesExtra), from, windowPoints)) {
    let { after } = group;
    for (;;) {
      const [first = ""] = group.keys;
      const upTo = group.isLong ? await windowEnd(deps.db, before.id, first, after, windowPoints) : null;
      const window = { after, upTo };
      const histories = await readHistories(deps, run.info.runId, group.keys, window);
      if (!histories.ok) return yield histories;
      const points = Map.groupBy(await expectedPoints(deps.db, before.id, group.keys, window), (p) => p.key);
      for (const key of group.keys) {
        const pages = histories.value.get(key) ?? [];
        const compared = comparePoints(points.get(key) ?? [], pages, standing, storedValue);
        const extra = judgesExtra ? compared.extra : [];
        yield { ok: true, value: { ...compared, extra, key, next: { key, after: upTo } } };
      }
      if (upTo === null) break;
      after = upTo;
    }
  }
}

/** The keys of either side, in order. */
async function allKeys(db: D1Database, { before, run }: Opened, judgesExtra: boolean) {
  const counts = new Map((await expectedKeys(db, before.id)).map(({ key, count }) => [key, count]));
  const others = judgesExtra ? run.data.metrics : [];
  for (const { key } of others) counts.set(key, counts.get(key) ?? 0);
  return [...counts].map(([key, count]) => ({ key, count })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

type Group = { keys: string[]; size: number; isLong: boolean; after: Place | null };

/** Short keys together, to spare the database; a long one, or the rest of one, by itself. */
function groupsOf(
  keys: readonly { key: string; count: number }[],
  from: HistoryPlace | null,
  most: number,
): Group[] {
  const groups: Group[] = [];
  for (const { key, count } of keys) {
    const after = from?.key === key ? from.after : null;
    if (from && key <= from.key && after === null) continue;
    const isLong = count > most || after !== null;
    const last = groups.at(-1);
    const fits = last && !last.isLong && last.size + count <= most && last.keys.length < GROUP_KEYS;
    if (isLong || !fits) groups.push({ keys: [key], size: count, isLong, after });
    else {
      last.keys.push(key);
      last.size += count;
    }
  }
  return groups;
}

/** The pages of some keys' histories, as far as they are within the window. */
async function readHistories(
  deps: ReadDeps,
  runId: string,
  keys: readonly string[],
  window: Window,
): Promise<Result<Map<string, Metric[][]>>> {
  const histories = new Map<string, Metric[][]>();
  const waiting = [...keys];
  const failures: Failure[] = [];
  const reader = async () => {
    for (let key = waiting.shift(); key !== undefined && failures.length === 0; key = waiting.shift()) {
      const pages: Metric[][] = [];
      for await (const page of deps.mlflow.metricHistory(runId, key)) {
        if (page.ok) pages.push(page.value.filter((point) => isInWindow(point, window)));
        else failures.push(page.failure);
      }
      histories.set(key, pages);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, keys.length) }, reader));
  const [failure] = failures;
  return failure ? { ok: false, failure } : { ok: true, value: histories };
}

function isInWindow({ step, timestamp }: FoundPoint | ExpectedPoint, { after, upTo }: Window): boolean {
  const isAfter = (place: Place) => step > place.step || (step === place.step && timestamp > place.timestamp);
  return (after === null || isAfter(after)) && (upTo === null || !isAfter(upTo));
}
