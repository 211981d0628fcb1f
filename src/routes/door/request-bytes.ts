import type { Context } from "hono";
import { HttpFailure } from "../../errors.ts";
import type { AppEnv } from "./context.ts";
import { CODINGS, type Coding, Damaged, inflate } from "./inflate.ts";

const ACCEPTED_CODINGS = "gzip, deflate, identity";
/** What a charset may be called that is UTF-8, or a part of it. */
const CHARSETS = new Set(["utf-8", "utf8", "us-ascii", "ascii"]);
const SHOWN_CHARS = 100;

/**
 * The body's media type, in lower case and without parameters.
 * @throws HttpFailure 415 where it is none of `accepted`, or in another charset than UTF-8
 */
export function readType(c: Context<AppEnv>, accepted: readonly string[]): string {
  const [type = "", ...parameters] = (c.req.header("content-type") ?? "")
    .split(";")
    .map((part) => part.trim());
  if (!accepted.includes(type.toLowerCase()))
    throw unsupported(
      `Content-Type must be ${accepted.slice(0, 2).join(" or ")}, got ${type === "" ? "none" : cut(type)}.`,
    );
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=").map((part) => part.trim().toLowerCase());
    const charset = value.replaceAll('"', "");
    if (name === "charset" && !CHARSETS.has(charset))
      throw unsupported(`The body must be in UTF-8, got the charset ${cut(charset)}.`);
  }
  return type.toLowerCase();
}

/**
 * The body's bytes with its content coding undone, read no further than `max` on either side of it, whatever
 * Content-Length says.
 * @throws HttpFailure 413 past `max`, 415 for another coding, 400 where the bytes are not what the coding says
 */
export async function readBytes(c: Context<AppEnv>, max: number): Promise<Uint8Array> {
  const coding = readCoding(c);
  if (Number(c.req.header("content-length") ?? 0) > max) throw tooMuch(max);
  // What is left of a refused request is drained, but not of one that blows up when it is inflated.
  const sent = bounded(c.req.raw.body?.values({ preventCancel: coding === null }) ?? [], max);
  try {
    return await joined(coding === null ? sent : bounded(inflate(sent, coding), max));
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    const problem = { field: "body", rule: `must be ${coding} as Content-Encoding says (${error.message})` };
    throw new HttpFailure({ kind: "invalid_request", problems: [{ ...problem, value: "something else" }] });
  }
}

/** The text of UTF-8, without a byte order mark at its beginning; null where it is something else. */
export function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

function readCoding(c: Context<AppEnv>): Coding | null {
  const name = (c.req.header("content-encoding") ?? "").trim().toLowerCase();
  if (name === "" || name === "identity") return null;
  const coding = Object.entries(CODINGS).find(([known]) => known === name)?.[1];
  if (coding) return coding;
  const detail = `Content-Encoding must be one of ${ACCEPTED_CODINGS}, got ${cut(name)}.`;
  throw new HttpFailure({ kind: "unsupported_media_type", detail, acceptEncoding: ACCEPTED_CODINGS });
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

async function* bounded(chunks: Chunks, max: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > max) throw tooMuch(max);
    yield chunk;
  }
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const all = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function tooMuch(max: number): HttpFailure {
  return new HttpFailure({ kind: "payload_too_large", detail: `A request may hold at most ${max} bytes.` });
}

function unsupported(detail: string): HttpFailure {
  return new HttpFailure({ kind: "unsupported_media_type", detail });
}

function cut(text: string): string {
  return text.slice(0, SHOWN_CHARS);
}
