import { type Core, marksOf } from "../../domain/core.ts";
import { fold } from "../../domain/fold.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import { foldQueries } from "../../store/journal/fold.ts";
import type { Unfolded } from "../../store/journal/unfolded.ts";
import type { Breaker } from "../../store/ops/breakers.ts";
import {
  type Claim,
  type ClaimedFold,
  claim,
  claimFolding,
  type Foreseen,
} from "../../store/stream/claims.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import type { Above } from "../../store/turn/places.ts";
import { readUnclaimed } from "../../store/turn/unclaimed.ts";
import type { Deps } from "../deps.ts";
import { serverOf } from "../line/breaker.ts";
import { foldStream } from "./fold.ts";
import { leaseMs } from "./held-stream.ts";
import type { Lent } from "./seats.ts";

/** The folded core of a stream, and the watermark that it was read at; null: it is still to be read. */
export type Known = { foldedSeq: number; core: Core } | null;

/** What was read of a stream before it is claimed. `more`: there is more to fold than this. */
export type Ahead = {
  breaker: Breaker | null;
  known: Known;
  above: Above;
  fold: ClaimedFold | null;
  more: boolean;
  /** Null: there is no such stream. */
  stream: StreamRow | null;
  /** What is folded with it; null where all was. */
  helping: Unfolded | null;
};

type Claimed = Extract<Claim, { kind: "claimed" }>;

/** A stream that was claimed, folded as far as it could be. */
export type Start<First = null> = Claimed & {
  /** The first call, where it was noted with the claim: it is to be made at once. */
  first: First | null;
  /** When it was asked for, in epoch milliseconds. */
  claimedAt: number;
  known: Known;
  above: Above | null;
  breaker: Breaker | null;
  /** There is more to fold. */
  more: boolean;
  /** What was thrown over folding it. */
  failed: { error: unknown } | null;
};

/**
 * Claims a stream with what is to be folded of it, and with its first call where that can be foreseen, in one transaction.
 * Both are read and made before, since they need no lease; where another was there first, the stream is claimed without.
 */
export async function claimFolded<First extends { foreseen: Foreseen; lent: Lent | null }>(
  deps: Deps,
  streamId: number,
  foresee: (ahead: Ahead) => Promise<First | null>,
): Promise<Start<First> | Exclude<Claim, Claimed>> {
  const seen = await attempt(() => readAhead(deps, streamId));
  // Nothing was begun.
  if (!seen.ok && isOutOfStatements(seen.error)) throw seen.error;
  // What hinders here is met again under the lease, and said there.
  const foreseen = await attempt(async () => (seen.ok ? foresee(seen.value) : null));
  const first = foreseen.ok ? foreseen.value : null;
  const fold = seen.ok ? seen.value.fold : null;
  const claimed = await claimWith(deps, streamId, fold, first?.foreseen).finally(first?.lent?.heard);
  if (claimed.kind !== "claimed") return claimed;
  if (!seen.ok) {
    const breaker = await deps.guard.breaker();
    return { ...claimed, first: null, known: null, above: null, breaker, more: false, failed: seen };
  }
  const { known, above, breaker } = seen.value;
  const start = { ...claimed, first: null, known, above: claimed.moved ? null : above, breaker };
  // What came meanwhile waits: the call goes out while its lease is fresh.
  if (claimed.isForeseen) return { ...start, first, more: false, failed: null };
  const { stream } = claimed;
  if (stream.foldedSeq >= stream.lastSeq) return { ...start, more: false, failed: null };
  const folded = await attempt(() => foldStream(deps, stream));
  if (!folded.ok) return { ...start, more: false, failed: folded };
  const { foldedSeq, more } = folded.value;
  return { ...start, stream: { ...stream, foldedSeq }, more, failed: null };
}

type ClaimedWith = Claimed & { claimedAt: number; moved: boolean; isForeseen: boolean };

/**
 * Claims a stream with a fold, and with its first call. Where it is not as it was foreseen, or there is no place for the
 * call, the fold goes alone; where another was there first, neither goes (`moved`).
 */
export async function claimWith(
  deps: Deps,
  streamId: number,
  folded: ClaimedFold | null,
  foreseen: Foreseen | null = null,
): Promise<ClaimedWith | Exclude<Claim, Claimed>> {
  const ms = leaseMs(deps.config.mlflow.timeoutMs);
  for (const first of foreseen === null ? [null] : [foreseen, null]) {
    const claimedAt = deps.now();
    const claimed = await claimFolding(deps.db, streamId, ms, folded, first);
    if (claimed.kind === "claimed")
      return { ...claimed, claimedAt, moved: false, isForeseen: first !== null };
    if (claimed.kind !== "moved") return claimed;
  }
  const claimedAt = deps.now();
  const claimed = await claim(deps.db, streamId, ms);
  return claimed.kind === "claimed" ? { ...claimed, claimedAt, moved: true, isForeseen: false } : claimed;
}

/** The breaker, and a stream's next helping folded; nothing is written. */
export async function readAhead(deps: Deps, streamId: number): Promise<Ahead> {
  const { breaker, above, stream, helping, core } = await readUnclaimed(deps.db, streamId, serverOf(deps));
  deps.guard.saw(breaker);
  const read = { breaker, above, fold: null, more: false, stream, helping };
  if (!stream) return { ...read, known: null };
  if (!helping) return { ...read, known: core && { foldedSeq: stream.foldedSeq, core } };
  const { upto } = helping;
  const after = fold(helping.before, helping.events, helping.points);
  const queries = (token: string) =>
    foldQueries(deps.db, { id: streamId, kind: stream.kind }, helping, after, deps.now(), token);
  return {
    ...read,
    more: helping.more,
    known: { foldedSeq: upto, core: after.state.core },
    fold: { from: stream.foldedSeq, upto, marks: marksOf(after.state.core), queries },
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
