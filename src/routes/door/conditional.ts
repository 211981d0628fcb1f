import type { Context } from "hono";
import { digest } from "../../relay/intake/identify.ts";

/** Thrown where the asker has the answer already: 304. */
export class NotModified extends Error {}

/**
 * Marks an answer by what it depends on, so that whoever asks again is told in few bytes that nothing changed, before
 * the rest is read. The mark is the same at every address whose answer depends on the same.
 * @throws NotModified when the request names the same mark
 */
export async function answerOnce(c: Context, dependsOn: readonly unknown[]): Promise<void> {
  const etag = `W/"${await digest(JSON.stringify(dependsOn))}"`;
  c.header("etag", etag);
  c.header("cache-control", "private, no-cache");
  const given = c.req.header("if-none-match")?.split(",");
  if (given?.some((one) => one.trim() === etag)) throw new NotModified();
}
