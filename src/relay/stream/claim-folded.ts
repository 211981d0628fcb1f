import { eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { type Core, fold } from "../../domain/fold.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import { foldQueries } from "../../store/journal/fold.ts";
import { unfoldedOf, unfoldedQueries } from "../../store/journal/unfolded.ts";
import type { Breaker } from "../../store/ops/breakers.ts";
import { breakerRow } from "../../store/ops/breakers.ts";
import { streams } from "../../store/schema.ts";
import { readableCore } from "../../store/stream/core-column.ts";
import { type Claim, type ClaimedFold, claim, claimFolding } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { serverOf } from "../line/breaker.ts";
import { foldStream } from "./fold.ts";
import { leaseMs } from "./turn.ts";

/** The folded core of a stream, and the watermark that it was read at; null: it is still to be read. */
export type Known = { foldedSeq: number; core: Core } | null;

type Claimed = Extract<Claim, { kind: "claimed" }>;

/** A stream that was claimed, folded as far as it could be. */
export type Start = Claimed & {
  /** When it was asked for, in epoch milliseconds. */
  claimedAt: number;
  known: Known;
  breaker: Breaker | null;
  /** There is more to fold. */
  more: boolean;
  /** What was thrown over folding it. */
  failed: { error: unknown } | null;
};

/**
 * Claims a stream with what is to be folded of it, in one transaction. The fold is read and made before, since it needs
 * no lease; where another was there first, the stream is claimed without.
 */
export async function claimFolded(deps: Deps, streamId: number): Promise<Start | Exclude<Claim, Claimed>> {
  const ms = leaseMs(deps.config.mlflow.timeoutMs);
  const seen = await attempt(() => readAhead(deps, streamId));
  // Nothing was begun.
  if (!seen.ok && isOutOfStatements(seen.error)) throw seen.error;
  let claimedAt = deps.now();
  let claimed = await claimFolding(deps.db, streamId, ms, seen.ok ? seen.value.fold : null);
  if (claimed.kind === "moved") {
    claimedAt = deps.now();
    claimed = await claim(deps.db, streamId, ms);
  }
  if (claimed.kind !== "claimed") return claimed;
  if (!seen.ok) {
    const breaker = await deps.guard.breaker();
    return { ...claimed, claimedAt, known: null, breaker, more: false, failed: seen };
  }
  const { known, breaker } = seen.value;
  const start = { ...claimed, claimedAt, known, breaker };
  const { stream } = claimed;
  if (stream.foldedSeq >= stream.lastSeq) return { ...start, more: false, failed: null };
  const folded = await attempt(() => foldStream(deps, stream));
  if (!folded.ok) return { ...start, more: false, failed: folded };
  const { foldedSeq, more } = folded.value;
  return { ...start, stream: { ...stream, foldedSeq }, more, failed: null };
}

/** The breaker, and a stream's next helping folded; nothing is written. */
async function readAhead(
  deps: Deps,
  streamId: number,
): Promise<{ breaker: Breaker | null; known: Known; fold: ClaimedFold | null }> {
  const orm = drizzle(deps.db);
  const watermark: SQL = sql`(select ${streams.foldedSeq} from ${streams} where ${streams.id} = ${streamId})`;
  const [[row], [stream], ...unfolded] = await orm.batch([
    breakerRow(orm, serverOf(deps)),
    orm
      .select({ kind: streams.kind, foldedSeq: streams.foldedSeq })
      .from(streams)
      .where(eq(streams.id, streamId)),
    ...unfoldedQueries(orm, streamId, watermark),
  ]);
  const breaker = row ?? null;
  deps.guard.saw(breaker);
  if (!stream) return { breaker, known: null, fold: null };
  const helping = unfoldedOf(unfolded);
  if (!helping) {
    const core = readableCore(unfolded[2][0]?.core ?? null);
    return { breaker, known: core && { foldedSeq: stream.foldedSeq, core }, fold: null };
  }
  const { upto } = helping;
  const after = fold(helping.before, helping.events, helping.points);
  const queries = (token: string) =>
    foldQueries(deps.db, { id: streamId, kind: stream.kind }, helping, after, deps.now(), token);
  return {
    breaker,
    known: { foldedSeq: upto, core: after.state.core },
    fold: { from: stream.foldedSeq, upto, queries },
  };
}

type Attempt<T> = { ok: true; value: T } | { ok: false; error: unknown };

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error };
  }
}
