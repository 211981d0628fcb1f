/** A slice becomes at most a thousand times as much. */
const SLICE_BYTES = 4_096;
const READ_BYTES = 1_000_000;
const HEAD_BYTES = 2;

/** HTTP's names of the codings that can be undone. */
export const CODINGS = { gzip: "gzip", "x-gzip": "gzip", deflate: "deflate" } as const;
export type Coding = (typeof CODINGS)[keyof typeof CODINGS];

/** Thrown for bytes that are not what their coding says: damaged, cut short, or with something after their end. */
export class Damaged extends Error {
  override readonly name = "Damaged";
}

/**
 * Undoes a coding in small slices, each read to its end before the next is given: the runtime knows no backpressure
 * here, and would hold all that a few kilobytes can stand for. Whoever stops reading stops the rest.
 * @throws Damaged, and what `chunks` throws
 */
export async function* inflate(
  chunks: AsyncIterable<Uint8Array>,
  coding: Coding,
): AsyncGenerator<Uint8Array> {
  let stream: Inflater | null = null;
  try {
    for await (const slice of sliced(chunks)) {
      stream ??= new Inflater(coding === "deflate" && !isZlib(slice) ? "deflate-raw" : coding);
      yield* stream.given(slice);
    }
    if (stream === null) throw new Damaged("there is nothing");
    yield* stream.closed();
  } finally {
    await stream?.stop();
  }
}

/** A DecompressionStream in lockstep: all of a slice is out before the next goes in. */
class Inflater {
  #writer: WritableStreamDefaultWriter<ArrayBuffer | ArrayBufferView>;
  #reader: ReadableStreamBYOBReader;
  #read: Promise<ReadableStreamReadResult<Uint8Array>>;

  constructor(format: Coding | "deflate-raw") {
    const { readable, writable } = new DecompressionStream(format);
    this.#writer = writable.getWriter();
    this.#reader = readable.getReader({ mode: "byob" });
    this.#read = this.#next();
  }

  async *given(slice: Uint8Array): AsyncGenerator<Uint8Array> {
    await undamaged(this.#writer.write(slice));
    for (;;) {
      // A slice may give nothing yet: then the reading waits for the next one.
      const got = await undamaged(Promise.race([this.#read, aMoment()]));
      if (!got?.value) return;
      this.#read = this.#next();
      yield got.value;
      if (got.value.length < READ_BYTES) return;
    }
  }

  async *closed(): AsyncGenerator<Uint8Array> {
    const closing = this.#writer.close();
    closing.catch(() => {});
    for (;;) {
      const { done, value } = await undamaged(this.#read);
      if (done) break;
      this.#read = this.#next();
      yield value;
    }
    await undamaged(closing);
  }

  async stop(): Promise<void> {
    await this.#writer.abort().catch(() => {});
  }

  #next(): Promise<ReadableStreamReadResult<Uint8Array>> {
    const read = this.#reader.read(new Uint8Array(READ_BYTES));
    // Looked at only when it is asked for.
    read.catch(() => {});
    return read;
  }
}

async function undamaged<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw new Damaged(error instanceof Error ? error.message : String(error));
  }
}

function aMoment(): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), 0));
}

async function* sliced(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of withHead(chunks))
    for (let i = 0; i < chunk.length; i += SLICE_BYTES) yield chunk.slice(i, i + SLICE_BYTES);
}

/** The chunks, the first of which has the bytes that `isZlib` looks at, however they come. */
async function* withHead(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head = new Uint8Array();
  let isWhole = false;
  for await (const chunk of chunks) {
    const bytes = head.length === 0 ? chunk : new Uint8Array([...head, ...chunk]);
    isWhole ||= bytes.length >= HEAD_BYTES;
    head = isWhole ? new Uint8Array() : new Uint8Array(bytes);
    if (isWhole) yield bytes;
  }
  if (head.length > 0) yield head;
}

/**
 * HTTP's deflate is within zlib's envelope, but some clients leave that out. Its two bytes are a multiple of 31, with
 * 8 for the method: https://www.rfc-editor.org/rfc/rfc1950#section-2.2
 */
function isZlib([method = 0, flags = 0]: Uint8Array): boolean {
  return (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0;
}
