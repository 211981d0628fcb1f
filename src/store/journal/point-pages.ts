import * as z from "zod";
import type { CurvePoint } from "../../domain/curve.ts";
import { bindWindow, HAS_WINDOW, isIn, type Named, type Window } from "./chunk-window.ts";
import { FINALS_FROM } from "./chunks.ts";

/** So much is read in one statement, of so many rows: a Worker never has to hold a long history whole. */
const PAGE_BYTES = 1_000_000;
const PAGE_CHUNKS = 20_000;
/** One text for many chunks takes D1 far less time than a row each; none is longer than this and a chunk. */
const TEXT_BYTES = 500_000;

type Stored = readonly [seq: number, n: number, ...CurvePoint];
type Place = { seq: number; n: number };
type Page = Place & { bytes: number; chunks: number; points: string };

/** The points of a key within a window, page by page, in any order. */
export async function* pointPages(db: D1Database, key: Named, window: Window): AsyncGenerator<CurvePoint[]> {
  const { steps, times } = window;
  let after: Place | undefined = { seq: 0, n: 0 };
  let read: Place = after;
  while (after) {
    const results: Page[] = (await bindWindow(db, PAGE, key, window, after.seq, after.n).all<Page>()).results;
    const last = results.at(-1);
    const chunks = results.reduce((sum, page) => sum + page.chunks, 0);
    after = last && (last.bytes >= PAGE_BYTES || chunks === PAGE_CHUNKS) ? last : undefined;
    const points = results.flatMap((page) => stored.parse(JSON.parse(`[${page.points}]`)));
    const before = read;
    const [seq, n] = points.findLast(([, at]) => at < FINALS_FROM) ?? [read.seq, read.n];
    read = { seq, n };
    yield points
      .filter((point) => isNew(point, before) && isIn(point[2], steps) && isIn(point[3], times))
      .map(([, , step, timestamp, value]): CurvePoint => [step, timestamp, value]);
  }
}

/** What was in a page before may be joined meanwhile with what comes behind it; finals never are. */
function isNew([seq, n]: Stored, read: Place): boolean {
  return n >= FINALS_FROM || seq > read.seq || (seq === read.seq && n > read.n);
}

/** By hand, because it may be a hundred thousand of them. */
const stored = z.custom<readonly Stored[]>((points) => Array.isArray(points) && points.every(isStored));

function isStored(point: unknown): point is Stored {
  if (!Array.isArray(point) || point.length !== 5) return false;
  return point.every((part, i) => typeof part === "number" || (i === 4 && typeof part === "string"));
}

/** A page is cut after the chunk that fills it. */
const PAGE = `
  select seq, n, max(bytes) as bytes, count(*) as chunks,
    group_concat(substr(points, 2, length(points) - 2)) as points
  from (
    select seq, n, points, sum(octet_length(points)) over (order by seq, n rows unbounded preceding) as bytes
    from (
      select c.seq, c.n, c.points from metric_chunks c where ${HAS_WINDOW} and (c.seq, c.n) > (?7, ?8)
      order by c.seq, c.n limit ${PAGE_CHUNKS}))
  where bytes - octet_length(points) < ${PAGE_BYTES}
  group by bytes / ${TEXT_BYTES}
  order by bytes`;
