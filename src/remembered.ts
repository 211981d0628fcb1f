/**
 * What an isolate has in its own memory from one request to the next: it saves a question, and nothing depends on it,
 * since the next request may come to an isolate that begins without.
 */
export type Remembered<T> = { value: T };

const beginnings: (() => void)[] = [];

/**
 * @param first makes what an isolate begins with
 * @returns its place, for a module to hold
 */
export function remembered<T>(first: () => T): Remembered<T> {
  const place = { value: first() };
  beginnings.push(() => {
    place.value = first();
  });
  return place;
}

/** Has this isolate know as little as one that begins. */
export function forgetAll(): void {
  for (const begin of beginnings) begin();
}
