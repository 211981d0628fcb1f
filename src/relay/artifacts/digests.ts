/** The digests of a body that passes through. */
export class Digests {
  readonly #streams = { sha256: new crypto.DigestStream("SHA-256"), md5: new crypto.DigestStream("MD5") };
  readonly #writers = Object.values(this.#streams).map((stream) => stream.getWriter());

  constructor() {
    // Of a body that breaks nobody asks for them.
    for (const { digest } of Object.values(this.#streams)) digest.catch(() => undefined);
    for (const { closed } of this.#writers) closed.catch(() => undefined);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (const writer of this.#writers) await writer.write(chunk);
  }

  async close(): Promise<void> {
    for (const writer of this.#writers) await writer.close();
  }

  async abort(): Promise<void> {
    for (const writer of this.#writers) await writer.abort().catch(() => undefined);
  }

  /** What they are of is handed on. */
  through(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: async (chunk, controller) => {
        await this.write(chunk);
        controller.enqueue(chunk);
      },
      flush: () => this.close(),
    });
  }

  /** In lower hex, once all has passed. */
  async hex(): Promise<{ sha256: string; md5: string }> {
    const { sha256, md5 } = this.#streams;
    return { sha256: hexOf(await sha256.digest), md5: hexOf(await md5.digest) };
  }
}

function hexOf(digest: ArrayBuffer): string {
  return new Uint8Array(digest).toHex();
}
