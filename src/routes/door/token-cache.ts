import type { Scope } from "../../domain/words.ts";

/** Who calls: a token by its public id, never by its text. */
export type Caller = { tokenId: string; scopes: readonly Scope[] };

/** A token as the database last knew it. */
export type KnownToken = { caller: Caller; expiresAt: number | null };

/** So long what the database said is taken without asking: a revoked token works no longer than this. */
export const FRESH_MS = 5_000;
/**
 * So long after the database last vouched for a token it is good while the database does not answer: events must be
 * able to reach the queue, and a token that was revoked elsewhere meanwhile must come to an end.
 */
export const OUTAGE_TRUST_MS = 3_600_000;
const MAX_GOOD = 1_000;
const MAX_BAD = 1_000;

type Entry = KnownToken & { checkedAt: number; freshUntil: number };

/**
 * What the database last said of tokens, by their hash. Good and bad ones are kept apart, so that no number of guesses
 * can make the good ones forgotten. Times are epoch milliseconds.
 */
export class TokenCache {
  #good = new Map<string, Entry>();
  #bad = new Map<string, number>();

  /** Whether the token is known to be good or bad without asking. */
  fresh(hash: string, now: number): Caller | "bad" | null {
    if ((this.#bad.get(hash) ?? 0) > now) return "bad";
    const entry = this.#good.get(hash);
    if (!entry || entry.freshUntil <= now) return null;
    return isExpired(entry, now) ? "bad" : entry.caller;
  }

  /** Whether it was good when the database last said anything. */
  isKnown(hash: string): boolean {
    return this.#good.has(hash);
  }

  /** Notes what the database said; null: no such token, or no longer. */
  note(hash: string, token: KnownToken | null, now: number): void {
    // Deleted first, so that the last one used is the last one to go.
    this.#good.delete(hash);
    if (token) put(this.#good, MAX_GOOD, hash, { ...token, checkedAt: now, freshUntil: now + FRESH_MS });
    else put(this.#bad, MAX_BAD, hash, now + FRESH_MS);
  }

  /** Who calls, while the database does not answer; it is not asked again for a while. */
  trusted(hash: string, now: number): Caller | null {
    const entry = this.#good.get(hash);
    if (!entry || isExpired(entry, now) || now - entry.checkedAt > OUTAGE_TRUST_MS) return null;
    entry.freshUntil = now + FRESH_MS;
    return entry.caller;
  }
}

function isExpired({ expiresAt }: KnownToken, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** Keeps at most `max`, and forgets the oldest first. */
function put<T>(map: Map<string, T>, max: number, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}
