import { read } from "./calls.ts";
import { type Failure, failed, type Result } from "./failure.ts";
import type { Send } from "./http.ts";
import { metricPage } from "./schemas.ts";
import type { Metric, Page } from "./types.ts";

/** The most points MLflow gives in one page of a history; always sent, because 3.x pages for ever without it. */
const HISTORY_PAGE = 25_000;

export type HistoryQuery = { runId: string; key: string; maxResults?: number; pageToken?: string };

export function historyCalls(send: Send) {
  /**
   * One page of a metric's points, by timestamp, step and value. A run that does not exist has an empty history.
   * MLflow 2 gives all points at once, whatever `maxResults` says.
   */
  function getMetricHistory(history: HistoryQuery): Promise<Result<Page<Metric>>> {
    return send({
      ...read("metrics/get-history", metricPage, {
        run_id: history.runId,
        metric_key: history.key,
        max_results: String(history.maxResults ?? HISTORY_PAGE),
        ...(history.pageToken !== undefined && { page_token: history.pageToken }),
      }),
      isAbout: ({ items }) => items.every(({ key }) => key === history.key),
    });
  }

  /**
   * All points of a metric, page by page, ending with the last page or with a failure. Pages are offsets: a point
   * logged meanwhile can make another one appear twice, but none is left out.
   */
  async function* metricHistory(
    runId: string,
    key: string,
    maxResults = HISTORY_PAGE,
  ): AsyncGenerator<Result<Metric[]>> {
    yield* historyPages((pageToken) =>
      getMetricHistory({ runId, key, maxResults, ...(pageToken !== undefined && { pageToken }) }),
    );
  }

  return { getMetricHistory, metricHistory };
}

type Answered<T, F> = { ok: true; value: T } | { ok: false; failure: F };

/** The points of all pages of a metric's history; `F` is what else than a failure may keep a page from being read. */
export async function* historyPages<F>(
  read: (pageToken: string | undefined) => Promise<Answered<Page<Metric>, F>>,
): AsyncGenerator<Answered<Metric[], F | Failure>> {
  const seen = new Set<string>();
  let pageToken: string | undefined;
  do {
    const page = await read(pageToken);
    if (!page.ok) return yield page;
    yield { ok: true, value: page.value.items };
    pageToken = page.value.nextPageToken ?? undefined;
    if (pageToken !== undefined && seen.has(pageToken)) {
      return yield {
        ok: false,
        failure: failed("misconfigured", "The server repeats a page of the metric history"),
      };
    }
    if (pageToken !== undefined) seen.add(pageToken);
  } while (pageToken !== undefined);
}
