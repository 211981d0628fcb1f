import type { Context } from "hono";
import * as z from "zod";
import { invalid } from "../../domain/problems.ts";
import type { Position } from "../../store/listing/order.ts";
import type { AppEnv } from "./context.ts";
import { refusal } from "./query.ts";

const cell = z.union([z.number(), z.string()]);
const cursor = z.tuple([z.string(), cell.nullable(), cell]);
const ALPHABET = { alphabet: "base64url", omitPadding: true } as const;

/** The list that a cursor belongs to: its address with sort and filters. */
function listOf(c: Context<AppEnv>): string {
  const query = new URLSearchParams(c.req.query());
  query.delete("cursor");
  query.delete("limit");
  query.sort();
  return `${c.req.path}?${query}`;
}

/** The place in the list after a page's last row, as opaque text. */
function write(c: Context<AppEnv>, { value, id }: Position): string {
  return new TextEncoder().encode(JSON.stringify([listOf(c), value, id])).toBase64(ALPHABET);
}

/**
 * The place that a cursor stands for; null at the start of the list.
 * @throws HttpFailure invalid_request for a cursor that is damaged or was given out by another list
 */
export function readCursor(c: Context<AppEnv>, text: string | undefined): Position | null {
  if (text === undefined) return null;
  const parsed = cursor.safeParse(decoded(text));
  if (!parsed.success)
    throw refusal([invalid(["cursor"], "must be a next_cursor of this list, unchanged", text)]);
  const [list, value, id] = parsed.data;
  if (list !== listOf(c))
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

/** Splits off the row that was read only to learn whether there is a next page. */
export function toPage<T extends { position: Position }>(
  c: Context<AppEnv>,
  rows: readonly T[],
  limit: number,
): { rows: Omit<T, "position">[]; next_cursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page.map(({ position: _, ...row }) => row),
    next_cursor: last && rows.length > limit ? write(c, last.position) : null,
  };
}
