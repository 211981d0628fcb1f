import { and, desc, eq, isNull, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { uuidv7 } from "uuidv7";
import type { TokenMade, TokenRecord } from "../../answers/ops.ts";
import { SCOPES, type Scope } from "../../domain/words.ts";
import { repeatable } from "../database/counted.ts";
import { apiTokens } from "../schema/index.ts";

const TOKEN_BYTES = 32;
const PREFIX = "tr_";
/** What every token looks like: the prefix, and 32 bytes in base64url. */
export const TOKEN_FORM = /^tr_[\w-]{43}$/;

/** SHA-256 of a token. A random token of 256 bits needs no salt and no slow hash. */
export async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** The token behind a hash (hex), if it is neither expired nor revoked at `now`. */
export function activeToken(db: D1Database, hash: string, now: number) {
  return active(db, eq(apiTokens.hash, hash), now);
}

/** The same by the token's public id. */
export function activeTokenById(db: D1Database, id: string, now: number) {
  return active(db, eq(apiTokens.id, id), now);
}

async function active(db: D1Database, isIt: SQL, now: number) {
  const row = await drizzle(db)
    .select()
    .from(apiTokens)
    .where(and(isIt, isNull(apiTokens.revokedAt)))
    .get();
  if (!row || (row.expiresAt !== null && row.expiresAt <= now)) return null;
  return { caller: { tokenId: row.id, scopes: expand(row.scopes) }, expiresAt: row.expiresAt };
}

/** Makes a token; its text is in the answer and nowhere else. */
export async function createToken(
  db: D1Database,
  input: { name: string; scopes: readonly Scope[]; expiresAt: number | null },
  now: number,
): Promise<TokenMade> {
  const token =
    PREFIX +
    crypto
      .getRandomValues(new Uint8Array(TOKEN_BYTES))
      .toBase64({ alphabet: "base64url", omitPadding: true });
  const row = {
    id: uuidv7(),
    name: input.name,
    hash: (await sha256(token)).toHex(),
    scopes: input.scopes.join(" "),
    createdAt: now,
    expiresAt: input.expiresAt,
    revokedAt: null,
  };
  await drizzle(repeatable(db)).insert(apiTokens).values(row).onConflictDoNothing();
  return { ...record(row), token };
}

/** All tokens, newest first. */
export async function listTokens(db: D1Database): Promise<TokenRecord[]> {
  return (await drizzle(db).select().from(apiTokens).orderBy(desc(apiTokens.createdAt))).map(record);
}

/** Revokes a token for good; null when there is none of that id. A second time changes nothing. */
export async function revokeToken(db: D1Database, id: string, now: number): Promise<TokenRecord | null> {
  await drizzle(db)
    .update(apiTokens)
    .set({ revokedAt: now })
    .where(and(eq(apiTokens.id, id), isNull(apiTokens.revokedAt)));
  const row = await drizzle(db).select().from(apiTokens).where(eq(apiTokens.id, id)).get();
  return row ? record(row) : null;
}

function expand(scopes: string): Scope[] {
  const own = scopesOf(scopes);
  return own.includes("admin") ? [...SCOPES] : own;
}

function scopesOf(text: string): Scope[] {
  return SCOPES.filter((scope) => text.split(" ").includes(scope));
}

function record(row: typeof apiTokens.$inferSelect): TokenRecord {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: row.id,
    name: row.name,
    scopes: scopesOf(row.scopes),
    created_at: new Date(row.createdAt).toISOString(),
    expires_at: time(row.expiresAt),
    revoked_at: time(row.revokedAt),
  };
}
