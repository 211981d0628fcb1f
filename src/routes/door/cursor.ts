import type { Context } from "hono";
import * as z from "zod";
import { invalid } from "../../domain/problems.ts";
import type { Position } from "../../store/listing/order.ts";
import type { AppEnv } from "./context.ts";
import { refusal } from "./query.ts";

const cell = z.union([z.number(), z.string()]);
const cursor = z.tuple([z.string(), cell.nullable(), cell]);
const ALPHABET = { alphabet: "base64url", omitPadding: true } as const;

/** The list that a cursor belongs to: its address with sort and filters, and without what is not about the list. */
function listOf(c: Context<AppEnv>, besides: readonly string[]): string {
  const query = new URLSearchParams(c.req.query());
  for (const name of ["cursor", "limit", ...besides]) query.delete(name);
  query.sort();
  return `${c.req.path}?${query}`;
}

/** The place in the list after a page's last row, as opaque text. */
function write(c: Context<AppEnv>, { value, id }: Position, besides: readonly string[]): string {
  return new TextEncoder().encode(JSON.stringify([listOf(c, besides), value, id])).toBase64(ALPHABET);
}

/**
 * The place that a cursor stands for; null at the start of the list.
 * @param besides the parameters of the address that are about something else on the page
 * @throws HttpFailure invalid_request for a cursor that is damaged or was given out by another list
 */
export function readCursor(
  c: Context<AppEnv>,
  text: string | undefined,
  besides: readonly string[] = [],
): Position | null {
  if (text === undefined) return null;
  const parsed = cursor.safeParse(decoded(text));
  if (!parsed.success)
    throw refusal([invalid(["cursor"], "must be a next_cursor of this list, unchanged", text)]);
  const [list, value, id] = parsed.data;
  if (list !== listOf(c, besides))
    throw refusal([
      invalid(["cursor"], `must be used with the sort and filters it came with (${list})`, text),
    ]);
  return { value, id };
}

function decoded(text: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(text, ALPHABET)));
  } catch {
    return null;
  }
}

/**
 * Splits off the row that was read only to learn whether there is a next page.
 * @param besides as of `readCursor`
 */
export function toPage<T extends { position: Position }>(
  c: Context<AppEnv>,
  rows: readonly T[],
  limit: number,
  besides: readonly string[] = [],
): { rows: Omit<T, "position">[]; next_cursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page.map(({ position: _, ...row }) => row),
    next_cursor: last && rows.length > limit ? write(c, last.position, besides) : null,
  };
}
