import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { claim } from "../../src/store/stream/claims.ts";
import { type Lease, release, renew } from "../../src/store/stream/leases.ts";

/** Places among those that call MLflow at once, taken and given back in any order. */

const MOST = 2;
const STREAMS = 12;
const STEPS = 250;

/** Numbers from 0 to below n, the same in every run (Numerical Recipes' generator). */
function drawing(seed: number) {
  let state = seed;
  return (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const WITH_PLACE = `
  select count(*) as calling, count(c.n) as listed, (select count(*) from callers) as remembered
  from streams s left join callers c on c.stream_id = s.id
  where s.calling_until > unixepoch('subsec') * 1000`;

test.each([1, 2, 3])(
  "never more than there are, whoever comes when, and few are remembered (seed %i)",
  async (seed) => {
    const draw = drawing(seed);
    await env.DB.prepare(
      `insert into streams (key, kind, trial_id, created_at, updated_at)
     select ?2 || '-' || value, 'trial', ?2 || '-' || value, 1, 1 from json_each(?1)`,
    )
      .bind(JSON.stringify(Array.from({ length: STREAMS }, (_, n) => n)), `caller-${seed}`)
      .run();
    const { results } = await env.DB.prepare("select id from streams where key like ?1")
      .bind(`caller-${seed}-%`)
      .all<{ id: number }>();
    const leases = new Map<number, Lease>();
    const placed = new Set<number>();
    for (let step = 0; step < STEPS; step++) {
      const id = results[draw(STREAMS)]?.id ?? 0;
      const lease = leases.get(id);
      if (lease === undefined) {
        const claimed = await claim(env.DB, id, 60_000);
        if (claimed.kind !== "claimed") throw new Error(claimed.kind);
        leases.set(id, claimed.lease);
      } else if (draw(3) > 0) {
        const places = { most: MOST, isIn: placed.has(id), from: null };
        const isTaken = await renew(env.DB, lease, {}, { places, sent: null });
        expect(isTaken, `step ${step}`).toBe(placed.has(id) || placed.size < MOST);
        if (isTaken) placed.add(id);
      } else {
        await release(env.DB, lease, {}, 1);
        leases.delete(id);
        placed.delete(id);
      }
      const found = await env.DB.prepare(WITH_PLACE).first<Record<string, number>>();
      expect(found, `step ${step}`).toMatchObject({ calling: placed.size, listed: placed.size });
      expect(found?.remembered).toBeLessThanOrEqual(4 * MOST);
    }
    for (const lease of leases.values()) await release(env.DB, lease, {}, 1);
  },
);
