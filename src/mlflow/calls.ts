import type * as z from "zod";
import { failed, type Result } from "./failure.ts";
import type { ViewType } from "./types.ts";

/** What a search asks for; by default MLflow shows only what is not deleted. */
export type Search = {
  filter?: string;
  viewType?: ViewType;
  /** 1 to 50,000 */
  maxResults: number;
  pageToken?: string;
  orderBy?: string[];
};

/** A GET of a record addressed by its id. */
export function read<T>(endpoint: string, schema: z.ZodType<T>, query: Record<string, string>) {
  return { method: "GET", access: "read", target: "id", endpoint, schema, query } as const;
}

/** A POST that changes a record addressed by its id. Fields that are undefined are not sent. */
export function write<T>(endpoint: string, schema: z.ZodType<T>, body: object) {
  return { method: "POST", access: "write", target: "id", endpoint, schema, body } as const;
}

/** A search: a POST that changes nothing. */
export function query<T>(endpoint: string, schema: z.ZodType<T>, body: object) {
  return { method: "POST", access: "read", target: "id", endpoint, schema, body } as const;
}

/** The fields that every search takes; the view type has two names. */
export function searchBody({ filter, maxResults, pageToken, orderBy }: Search) {
  return { filter, max_results: maxResults, page_token: pageToken, order_by: orderBy };
}

/** The problem of a time that is not a whole number of ms, before 1970 or after, or "". */
export function time(what: string, ms: number | undefined): string {
  return ms === undefined || Number.isSafeInteger(ms) ? "" : `The ${what} is not a whole number of ms`;
}

/**
 * The failure of a call that must not be sent, or null. MLflow answers 200 to numbers that do not fit its types and
 * stores 0 in their place, so they are caught here.
 */
export function checked(problems: string[]): Promise<Result<never>> | null {
  const problem = problems.find(Boolean);
  return problem ? Promise.resolve({ ok: false, failure: failed("invalid", problem) }) : null;
}
