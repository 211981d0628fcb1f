import { and, eq, lt, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { ending, repeatable } from "./counted.ts";
import { streams } from "./schema.ts";
import { NOW_MS } from "./sql.ts";

export type StreamRow = typeof streams.$inferSelect;

/** How long a poke that was sent is trusted to arrive; after that the cron sends another. */
export const POKE_TRUST_MS = 20_000;

/** One writer per MLflow run: a token, and by the database's clock an end. */
export type Lease = { streamId: number; token: string; ms: number };

const now = sql.raw(NOW_MS);

/** The condition that every statement of a commit carries. */
export function held(lease: Lease) {
  return and(eq(streams.id, lease.streamId), eq(streams.leaseToken, lease.token));
}

/** The same for SQL text; bind `heldArgs(lease)` in its place. */
export const HELD = "exists (select 1 from streams where id = ? and lease_token = ?)";

export type Claim =
  | { kind: "claimed"; lease: Lease; stream: StreamRow }
  /** Another holds it, for at most so long. */
  | { kind: "busy"; ms: number }
  /** As many streams as may call MLflow at once are leased. */
  | { kind: "full" }
  | { kind: "unknown" };

/**
 * Takes the lease. The mark of a sent poke is cleared before anything is read, so that later events poke again; it
 * is cleared too when the lease is taken, so that its holder sees on release that a poke was spent on it.
 * @param ms how long it is held if it is not renewed
 * @param most how many streams may be leased at once, this one included; each lease makes one call at a time
 */
export async function claim(db: D1Database, streamId: number, ms: number, most: number): Promise<Claim> {
  const lease = { streamId, token: crypto.randomUUID(), ms };
  const orm = drizzle(repeatable(db));
  const leased = sql`(select count(*) from streams where lease_token is not null and lease_until > ${now})`;
  // Ours already, where the answer was lost when it was taken.
  const isOurs = eq(streams.leaseToken, lease.token);
  const [[claimed], [row]] = await orm.batch([
    orm
      .update(streams)
      .set({ leaseToken: lease.token, leaseUntil: sql`${now} + ${ms}`, pokedUntil: 0 })
      .where(
        and(eq(streams.id, streamId), or(isOurs, and(lt(streams.leaseUntil, now), sql`${leased} < ${most}`))),
      )
      .returning(),
    orm
      .update(streams)
      .set({
        pokedUntil: sql`case when ${streams.leaseUntil} >= ${now} then 0 else ${streams.pokedUntil} end`,
      })
      .where(eq(streams.id, streamId))
      .returning({ ms: sql<number>`${streams.leaseUntil} - ${now}` }),
  ]);
  if (claimed) return { kind: "claimed", lease, stream: claimed };
  if (!row) return { kind: "unknown" };
  return row.ms >= 0 ? { kind: "busy", ms: row.ms } : { kind: "full" };
}

/** What is in doubt, as the stream's row keeps it: it goes with every statement that renews or gives back a lease. */
export type Fence = Pick<StreamRow, "doubt" | "fenceUntil" | "unconfirmed">;

/** Keeps the lease for its full length from now, before a call; false when it was lost. */
export async function renew(db: D1Database, lease: Lease, fence: Fence): Promise<boolean> {
  const rows = await drizzle(repeatable(db))
    .update(streams)
    .set({ ...fence, leaseUntil: sql`${now} + ${lease.ms}` })
    .where(held(lease))
    .returning({ id: streams.id });
  return rows.length > 0;
}

/** Writes to the leased stream; null when the lease was lost. */
export async function updateHeld(
  db: D1Database,
  lease: Lease,
  values: Partial<typeof streams.$inferInsert>,
): Promise<StreamRow | null> {
  const [row] = await drizzle(repeatable(db))
    .update(streams)
    .set({ ...values, leaseUntil: sql`${now} + ${lease.ms}` })
    .where(held(lease))
    .returning();
  return row ?? null;
}

/**
 * Gives the lease back with the last words about the stream. If events came that this turn did not deliver, and no
 * poke is on its way for them, the caller is to send one.
 * @returns null when the lease was lost before, or when it was given back and nobody heard it
 */
export async function release(
  db: D1Database,
  lease: Lease,
  values: Partial<typeof streams.$inferInsert>,
  at: number,
): Promise<{ stream: StreamRow; pokeNeeded: boolean } | null> {
  const mark = at + POKE_TRUST_MS;
  const unpoked = sql`${streams.lastSeq} > ${streams.foldedSeq} and ${streams.pokedUntil} < ${at}`;
  const [stream] = await drizzle(ending(repeatable(db)))
    .update(streams)
    .set({
      ...values,
      leaseToken: null,
      leaseUntil: 0,
      pokedUntil: sql`case when ${unpoked} then ${mark} else ${streams.pokedUntil} end`,
    })
    .where(held(lease))
    .returning();
  return stream ? { stream, pokeNeeded: stream.pokedUntil === mark } : null;
}
