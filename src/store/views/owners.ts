import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Owner } from "../../answers/parts.ts";
import { owner, ownerView } from "../listing/common.ts";
import { streams } from "../schema/index.ts";

/** The trials and model runs that have these public ids. */
export async function ownersOf(db: D1Database, keys: readonly string[]): Promise<Map<string, Owner>> {
  if (keys.length === 0) return new Map();
  const rows = await drizzle(db)
    .select({ key: streams.key, ...owner })
    .from(streams)
    .where(sql`${streams.key} in (select value from json_each(${JSON.stringify(keys)}))`);
  return new Map(rows.map((row) => [row.key, ownerView(row)]));
}
