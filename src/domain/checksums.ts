/** A checksum that came with a body: in which header, and what it must be, in lower hex. */
export type Checksum = { header: string; algorithm: "sha256" | "md5"; hex: string };

/** A header that is no checksum. */
export type NoChecksum = { header: string; rule: string; value: string };

const BYTES = { sha256: 32, md5: 16 } as const;
const ALGORITHMS: Readonly<Record<string, Checksum["algorithm"]>> = { "sha-256": "sha256", md5: "md5" };

/**
 * The checksums that a request has of its body: `Content-MD5` (RFC 1864), `Digest` (RFC 3230), `Content-Digest` and
 * `Repr-Digest` (RFC 9530), `X-Checksum-SHA256` in hex or base64. Algorithms that are not known are left out.
 */
export function readChecksums(headers: Pick<Headers, "get">): Checksum[] | NoChecksum {
  const found: Checksum[] = [];
  for (const { header, algorithm, text } of claims(headers)) {
    const hex = hexOf(text, BYTES[algorithm]);
    if (hex === null)
      return { header, rule: `must hold ${BYTES[algorithm]} bytes in base64 or hex`, value: text };
    found.push({ header, algorithm, hex });
  }
  return found;
}

function* claims(headers: Pick<Headers, "get">) {
  const md5 = headers.get("content-md5");
  if (md5 !== null) yield { header: "Content-MD5", algorithm: "md5" as const, text: md5.trim() };
  const sha256 = headers.get("x-checksum-sha256");
  if (sha256 !== null)
    yield { header: "X-Checksum-SHA256", algorithm: "sha256" as const, text: sha256.trim() };
  for (const header of ["Digest", "Content-Digest", "Repr-Digest"])
    for (const part of (headers.get(header) ?? "").split(",")) {
      const [, name = "", text = ""] = /^\s*([\w-]+)=:?([^:]*):?\s*$/.exec(part) ?? [];
      const algorithm = ALGORITHMS[name.toLowerCase()];
      if (algorithm) yield { header, algorithm, text };
    }
}

function hexOf(text: string, bytes: number): string | null {
  if (text.length === 2 * bytes && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase();
  try {
    const read = Uint8Array.fromBase64(text);
    return read.length === bytes ? read.toHex() : null;
  } catch {
    return null;
  }
}

/** The first checksum that a body does not have; null where it has them all. `digests` in lower hex. */
export function wrongChecksum(
  checksums: readonly Checksum[],
  digests: Readonly<Record<Checksum["algorithm"], string>>,
): { kind: "wrong_checksum"; header: string; hex: string } | null {
  const wrong = checksums.find(({ algorithm, hex }) => digests[algorithm] !== hex);
  return wrong ? { kind: "wrong_checksum", header: wrong.header, hex: digests[wrong.algorithm] } : null;
}
