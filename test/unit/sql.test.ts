import { expect, test } from "vitest";
import { jsonChunks } from "../../src/store/sql.ts";

/** D1's limit of a parameter: https://developers.cloudflare.com/d1/platform/limits/ */
const D1_PARAMETER_BYTES = 2_000_000;

test.each(["a", "\u8a18", "\u{1f3c3}"])(
  "rows of %s are cut into texts that D1 takes, and none is lost",
  (character) => {
    const rows = Array.from({ length: 300 }, (_, n) => [n, character.repeat(4_000)]);
    const chunks = jsonChunks(rows);
    for (const chunk of chunks) expect(Buffer.byteLength(chunk)).toBeLessThan(D1_PARAMETER_BYTES);
    expect(chunks.flatMap((chunk) => JSON.parse(chunk))).toEqual(rows);
  },
);
