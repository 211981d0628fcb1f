import type { ByteRange } from "../../domain/byte-range.ts";

/**
 * So much of an object is asked for at once, which bounds what is in memory however slow its reader is, and how long one
 * answer of the bucket is open: a large file may be minutes on its way.
 */
export const PIECE_BYTES = 8 * 1024 * 1024;

/** Opens an object, or some bytes of it, as a body of a known length; null where the bucket does not have it. */
export async function openObject(
  bucket: R2Bucket,
  key: string,
  range: ByteRange,
): Promise<ReadableStream<Uint8Array> | null> {
  const pieces = piecesOf(bucket, key, range);
  const { value: first } = await pieces.next();
  if (!first) return null;
  const { readable, writable } = new FixedLengthStream(range.length);
  // Its reader hears of what goes wrong; one that has gone away wants to hear no more.
  pour(first, pieces, writable).catch((error) => writable.abort(error).catch(() => undefined));
  return readable;
}

/**
 * Some bytes of an object, one piece after the other; nothing where the bucket does not have it.
 * @throws Error where the bucket loses it meanwhile
 */
export async function* piecesOf(
  bucket: R2Bucket,
  key: string,
  { offset, length }: ByteRange,
): AsyncGenerator<R2ObjectBody, undefined> {
  for (let from = 0; from === 0 || from < length; from += PIECE_BYTES) {
    const range = { offset: offset + from, length: Math.min(PIECE_BYTES, length - from) };
    // There is no range of nothing.
    const piece = await bucket.get(key, length === 0 ? {} : { range });
    if (piece) yield piece;
    else if (from === 0) return;
    else throw new Error("the bucket has lost an object that was being read");
  }
}

async function pour(
  first: R2ObjectBody,
  rest: AsyncIterable<R2ObjectBody>,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  await first.body.pipeTo(writable, { preventClose: true });
  for await (const piece of rest) await piece.body.pipeTo(writable, { preventClose: true });
  await writable.close();
}
