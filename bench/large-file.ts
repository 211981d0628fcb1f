import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import * as z from "zod";
import { type BenchRelay, TOKEN } from "./relay.ts";

export const FILE_BYTES = 1_000_000_000;
const CHUNK_BYTES = 1_000_000;
const begun = z.object({ id: z.string(), part_bytes: z.number() });

/** A file that is nowhere whole: each megabyte is the same noise with its own number in front. */
export class LargeFile {
  readonly sha256: string;
  readonly #noise = randomBytes(CHUNK_BYTES);

  constructor() {
    const hash = createHash("sha256");
    for (const chunk of this.#chunks(0, FILE_BYTES)) hash.update(chunk);
    this.sha256 = hash.digest("hex");
  }

  /** In one request of a known length. */
  async put(url: string): Promise<void> {
    await this.#send(url, 0, FILE_BYTES);
  }

  /** As docs/trainers.md has it, one part after the other. */
  async putInParts(relay: BenchRelay, uploads: string, path: string): Promise<void> {
    const upload = begun.parse(
      JSON.parse(await relay.ask(uploads, { method: "POST", body: JSON.stringify({ path }) })),
    );
    for (let from = 0, number = 1; from < FILE_BYTES; from += upload.part_bytes, number++)
      await this.#send(
        `${relay.url}${uploads}/${upload.id}/parts/${number}`,
        from,
        Math.min(FILE_BYTES, from + upload.part_bytes),
      );
    await relay.ask(`${uploads}/${upload.id}/complete`, { method: "POST" });
  }

  /** Throws where what comes from an address is not this file. */
  async compare(url: string): Promise<void> {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    const hash = createHash("sha256");
    for await (const chunk of answer.body ?? []) hash.update(chunk);
    if (hash.digest("hex") !== this.sha256)
      throw new Error(`${url} answered ${answer.status} with other bytes`);
  }

  async #send(url: string, from: number, to: number): Promise<void> {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-length": to - from };
    const sent = request(url, { method: "PUT", headers });
    const answered: Promise<IncomingMessage[]> = once(sent, "response");
    const [[answer]] = await Promise.all([
      answered,
      pipeline(Readable.from(this.#chunks(from, to), { objectMode: false }), sent),
    ]);
    const said = answer ? await text(answer) : "";
    if (answer?.statusCode !== 200) throw new Error(`${url} answered ${answer?.statusCode}: ${said}`);
  }

  *#chunks(from: number, to: number): Generator<Buffer> {
    for (let at = from; at < to; ) {
      const number = Math.floor(at / CHUNK_BYTES);
      const chunk = Buffer.from(this.#noise);
      chunk.writeUInt32BE(number);
      const some = chunk.subarray(at - number * CHUNK_BYTES, to - number * CHUNK_BYTES);
      yield some;
      at += some.length;
    }
  }
}
