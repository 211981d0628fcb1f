import { tagBegins, tagEquals } from "../../mlflow/filter.ts";

/** The tag by which a run is found again of whose create call nobody heard, or which was made twice. */
export const NONCE_TAG = "relay.nonce";

/** Creates of this time share a beginning, by which one search finds them all. */
const SHARED_MS = 300_000;
const SHARED = /^[0-9a-z]+\./;

/** A nonce that no other create has. */
export function newNonce(now: number): string {
  return `${Math.floor(now / SHARED_MS).toString(36)}.${crypto.randomUUID()}`;
}

/** The filter that finds the runs of a nonce, and of the others that were made about then. */
export function filterOfTime(nonce: string): string | null {
  const [shared] = SHARED.exec(nonce) ?? [];
  return shared === undefined ? tagEquals(NONCE_TAG, nonce) : tagBegins(NONCE_TAG, shared);
}
