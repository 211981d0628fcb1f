import { expect, test } from "vitest";
import { FRESH_MS, OUTAGE_TRUST_MS, TokenCache } from "../../src/routes/door/token-cache.ts";

const NOW = 1_800_000_000_000;
const token = (expiresAt: number | null = null) => ({
  caller: { tokenId: "t", scopes: ["ingest" as const] },
  expiresAt,
});

test("no number of bad tokens makes a good one forgotten", () => {
  const cache = new TokenCache();
  cache.note("good", token(), NOW);
  for (let n = 0; n < 10_000; n++) cache.note(`bad ${n}`, null, NOW);
  expect(cache.fresh("good", NOW + 1)).toMatchObject({ tokenId: "t" });
  expect(cache.trusted("good", NOW + 1)).toMatchObject({ tokenId: "t" });
  expect(cache.fresh("bad 9999", NOW + 1)).toBe("bad");
});

test("of more good ones than it holds it forgets the one that was looked up longest ago", () => {
  const cache = new TokenCache();
  for (let n = 0; n < 1_000; n++) cache.note(`good ${n}`, token(), NOW);
  cache.note("good 0", token(), NOW + 1);
  cache.note("another", token(), NOW + 1);
  expect([cache.isKnown("good 0"), cache.isKnown("good 1"), cache.isKnown("another")]).toEqual([
    true,
    false,
    true,
  ]);
});

test("what the database said is taken for a while, and no longer", () => {
  const cache = new TokenCache();
  cache.note("good", token(), NOW);
  cache.note("bad", null, NOW);
  expect([cache.fresh("good", NOW + FRESH_MS), cache.fresh("bad", NOW + FRESH_MS)]).toEqual([null, null]);
  cache.note("good", null, NOW + FRESH_MS);
  expect(cache.trusted("good", NOW + FRESH_MS)).toBeNull();
});

test("a token expires in the middle of what is fresh or trusted", () => {
  const cache = new TokenCache();
  cache.note("short", token(NOW + 1_000), NOW);
  expect(cache.fresh("short", NOW + 999)).toMatchObject({ tokenId: "t" });
  expect(cache.fresh("short", NOW + 1_000)).toBe("bad");
  expect(cache.trusted("short", NOW + 1_000)).toBeNull();
});

test("without the database a known token is good for a bounded time, however often it is used", () => {
  const cache = new TokenCache();
  cache.note("good", token(), NOW);
  let now = NOW;
  while (cache.trusted("good", now)) now += FRESH_MS;
  expect(now - NOW).toBeGreaterThan(OUTAGE_TRUST_MS);
  expect(now - NOW).toBeLessThanOrEqual(OUTAGE_TRUST_MS + 2 * FRESH_MS);
  expect(cache.fresh("good", now + FRESH_MS)).toBeNull();
});
