/** Some bytes of a file: the first of them, and how many. */
export type ByteRange = { offset: number; length: number };

/**
 * What a Range header asks for of a file (RFC 9110, section 14.2). Several ranges, other units and what is no range at all
 * stand for the whole file, which is always a right answer.
 * @returns null for the whole file, "none" where the file ends before it
 */
export function readRange(header: string | null, bytes: number): ByteRange | null | "none" {
  const [, from = "", to = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? "") ?? [];
  if (from === "" && to === "") return null;
  if (from === "") {
    const length = Math.min(Number(to), bytes);
    return length === 0 ? "none" : { offset: bytes - length, length };
  }
  const offset = Number(from);
  const last = to === "" ? bytes - 1 : Math.min(Number(to), bytes - 1);
  if (to !== "" && Number(to) < offset) return null;
  return offset >= bytes ? "none" : { offset, length: last - offset + 1 };
}

/** Whether an If-None-Match header names this tag (RFC 9110, section 13.1.2): weakly, as for every GET. */
export function isNamed(header: string | null, etag: string): boolean {
  const named = (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return named.includes("*") || named.includes(etag);
}
