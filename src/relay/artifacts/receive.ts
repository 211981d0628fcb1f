import { Digests } from "./digests.ts";

/** From this size on a file goes to the bucket in parts, as does one of which nobody says how large it is. */
const MULTIPART_FROM_BYTES = 50_000_000;
/** R2 takes parts from 5 MiB on, all but the last of one size; one at a time is in memory. */
const PART_BYTES = 8 * 1024 * 1024;

/** A body that did not arrive whole, as its length or its sender's connection has it. */
export class BodyCut extends Error {
  override readonly name = "BodyCut";
}

/** A body that is larger than may be. */
export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** What arrived, its digests in lower hex. */
export type Received = { bytes: number; sha256: string; md5: string };

type Source = {
  body: ReadableStream<Uint8Array> | null;
  /** As it was announced; null: not at all. */
  length: number | null;
  maxBytes: number;
};

/**
 * Streams a body into the bucket and takes its digests on the way; at most a part of it is in memory. An object is there
 * only once it is whole.
 * @param begun hears of an upload in parts before the first of them
 * @throws BodyCut, BodyTooLarge, and what the bucket does
 */
export async function receive(
  bucket: R2Bucket,
  key: string,
  source: Source,
  begun: (uploadId: string) => Promise<void>,
): Promise<Received> {
  const { length } = source;
  return length !== null && length < MULTIPART_FROM_BYTES
    ? pour(source, new WholeSink(length, (body) => bucket.put(key, body)))
    : pour(source, await PartSink.begin(bucket, key, begun));
}

/**
 * The same of one part of a larger file.
 * @throws BodyCut, BodyTooLarge, and what the bucket does
 */
export async function receivePart(
  upload: R2MultipartUpload,
  number: number,
  source: Source & { length: number },
): Promise<Received & { etag: string }> {
  const sink = new WholeSink(source.length, (body) => upload.uploadPart(number, body));
  return { ...(await pour(source, sink)), etag: (await sink.put).etag };
}

type Sink = Pick<WholeSink<unknown>, "write" | "close" | "abort">;

async function pour({ body, length, maxBytes }: Source, sink: Sink): Promise<Received> {
  const digests = new Digests();
  let bytes = 0;
  try {
    for await (const chunk of chunksOf(body)) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new BodyTooLarge();
      await digests.write(chunk);
      await sink.write(chunk);
    }
    if (length !== null && bytes !== length) throw new BodyCut();
    await digests.close();
    await sink.close();
  } catch (error) {
    await digests.abort();
    await sink.abort();
    throw error;
  }
  return { bytes, ...(await digests.hex()) };
}

async function* chunksOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw new BodyCut();
      });
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}

/** A body of a known length, in one piece. */
class WholeSink<Put> {
  readonly put: Promise<Put>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** What went wrong with the bucket, which a write that waits for it would never hear of. */
  readonly #failed: Promise<never>;

  constructor(length: number, put: (body: ReadableStream) => Promise<Put>) {
    const { readable, writable } = new FixedLengthStream(length);
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => undefined);
    this.put = put(readable);
    this.#failed = this.put.then(() => new Promise<never>(() => undefined));
    this.#failed.catch(() => undefined);
  }

  async write(chunk: Uint8Array): Promise<void> {
    await Promise.race([this.#writer.write(chunk).catch(cut), this.#failed]);
  }

  async close(): Promise<void> {
    await Promise.race([this.#writer.close().catch(cut), this.#failed]);
    await this.put;
  }

  async abort(): Promise<void> {
    await this.#writer.abort().catch(() => undefined);
    await this.put.catch(() => undefined);
  }
}

/** More or less than was announced. */
function cut(): never {
  throw new BodyCut();
}

/** A body in parts. */
class PartSink {
  readonly #upload: R2MultipartUpload;
  readonly #bucket: R2Bucket;
  readonly #parts: R2UploadedPart[] = [];
  readonly #part = new Uint8Array(PART_BYTES);
  #filled = 0;

  private constructor(bucket: R2Bucket, upload: R2MultipartUpload) {
    this.#bucket = bucket;
    this.#upload = upload;
  }

  static async begin(
    bucket: R2Bucket,
    key: string,
    begun: (uploadId: string) => Promise<void>,
  ): Promise<PartSink> {
    const upload = await bucket.createMultipartUpload(key);
    await begun(upload.uploadId);
    return new PartSink(bucket, upload);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      const some = chunk.subarray(from, from + PART_BYTES - this.#filled);
      this.#part.set(some, this.#filled);
      this.#filled += some.length;
      from += some.length;
      if (this.#filled === PART_BYTES) await this.#send();
    }
  }

  async close(): Promise<void> {
    if (this.#filled > 0) await this.#send();
    if (this.#parts.length > 0) {
      await this.#upload.complete(this.#parts);
      return;
    }
    // An upload without parts cannot be completed.
    await this.abort();
    await this.#bucket.put(this.#upload.key, new Uint8Array());
  }

  async abort(): Promise<void> {
    await this.#upload.abort().catch(() => undefined);
  }

  async #send(): Promise<void> {
    this.#parts.push(
      await this.#upload.uploadPart(this.#parts.length + 1, this.#part.subarray(0, this.#filled)),
    );
    this.#filled = 0;
  }
}
