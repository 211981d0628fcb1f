import { MAX_REQUEST_BYTES } from "../../domain/limits.ts";
import { HttpFailure } from "../../errors.ts";

/** Bytes on their way through, which nobody looks into. */
export type Upload = {
  body: ReadableStream<Uint8Array> | Blob;
  bytes: number;
  /** Ends it where MLflow takes no more; then the rest of the request can be read. */
  stop: () => Promise<void>;
};

/**
 * A request's body as it comes in. MLflow must be told its length, or it stores an empty file and says that all is well;
 * what comes without one, as empty files do from MLflow's client, is read first.
 * @throws HttpFailure payload_too_large without a length
 */
export async function openUpload(request: Request): Promise<Upload> {
  const { body } = request;
  const told = request.headers.get("content-length");
  if (body !== null && told !== null) return streamed(body, Number(told));
  const whole = await wholeOf(body);
  return { body: whole, bytes: whole.size, stop: async () => {} };
}

function streamed(body: ReadableStream<Uint8Array>, bytes: number): Upload {
  const { readable, writable } = new FixedLengthStream(bytes);
  const stopped = new AbortController();
  const piped = body.pipeTo(writable, { preventCancel: true, signal: stopped.signal }).catch(() => undefined);
  const stop = async () => {
    stopped.abort();
    await piped;
  };
  return { body: readable, bytes, stop };
}

async function wholeOf(body: ReadableStream<Uint8Array> | null): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw withoutLength();
    chunks.push(new Uint8Array(chunk));
  }
  return new Blob(chunks);
}

function withoutLength(): HttpFailure {
  const detail = `A file of more than ${MAX_REQUEST_BYTES} bytes must come with its Content-Length.`;
  return new HttpFailure({ kind: "payload_too_large", detail });
}
