import type { Block } from "../../domain/blocked.ts";
import type { MlflowWrites } from "../../mlflow/client.ts";
import type { Result } from "../../mlflow/failure.ts";
import { type Mark, markSent } from "../../store/delivery/batches.ts";
import type { Bound } from "../../store/sql.ts";
import type { Places } from "../../store/stream/callers.ts";
import {
  isHeld,
  type Lease,
  renew,
  type StreamRow,
  type StreamUpdate,
  updateHeld,
} from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { recordSuccess } from "../line/breaker.ts";
import { HeldStream, MAX_START_MS, type Writing } from "./held-stream.ts";
import type { Lent, Seat, Seats } from "./seats.ts";

/** A lease that was renewed so short a time ago covers another call. */
export const KEEP_MS = 5_000;

/** How often a place among the callers is asked for, and how many times; those behind wait in the queue. */
const PLACE_POLL_MS = 250;
const MAX_PLACE_POLLS = 60;
/** Waiting must not take what the turn itself is to have. */
const POLL_STATEMENTS = 100;

/** How a turn with a stream ended. */
export type End =
  | { kind: "done" }
  /** Stopped at a bound with work left. */
  | { kind: "more" }
  | { kind: "wait"; for: "grace" | "parent" | "retry" | "breaker"; ms: number; error?: string }
  | { kind: "blocked"; block: Block }
  /** Others had every place among the callers for too long. */
  | { kind: "full" }
  /** Another writer has the lease; nothing more may be written. */
  | { kind: "lost" };

export type Step<T = void> = { ok: true; value: T } | { ok: false; end: End };

/** What came of a call; a failure of null: the lease was lost, or no place was to be had, and the call was not made. */
type Answered<T> = Result<T> | { ok: false; failure: null };

export const proceed: Step = { ok: true, value: undefined };

/** How soon to come back for what failed in the relay's own house. */
export const RETRY_SOON_MS = 2_000;
/** The most calls to MLflow in one turn, and about the longest, so that one huge trial cannot hold the others up. */
const MAX_CALLS = 40;
const MAX_TURN_MS = 60_000;
/** A step that takes more is cut short, and goes on in the next turn. */
const STEP_STATEMENTS = 40;

/**
 * One holder's work on one stream, from claim to release.
 */
export class Turn extends HeldStream {
  readonly deps: Deps;
  readonly lease: Lease;
  /** How many items may be set aside before the server has to take another control write. */
  trust = 0;
  readonly #begunAt: number;
  /** The token of a batch that MLflow has, which is forgotten with the next statement. */
  sent: string | null = null;
  readonly #seat: Seat | null;
  /** The call that was to be made found no place among the callers. */
  foundNoPlace = false;
  #calls = 0;
  #failuresBefore: boolean;
  #renewedAt: number;

  /**
   * @param how.claimedAt when the lease was asked for, in epoch milliseconds
   * @param how.seats where it takes a place for its calls; null: it needs none
   * @param how.placed it has one already, which was another's or nobody's
   */
  constructor(
    deps: Deps,
    lease: Lease,
    stream: StreamRow,
    how: {
      claimedAt: number;
      seats: Seats | null;
      placed?: { from: Lent | null } | undefined;
      failuresBefore?: boolean;
    },
  ) {
    super(deps, stream);
    this.deps = { ...deps, mlflow: deps.direct };
    this.lease = lease;
    this.#begunAt = deps.now();
    this.#renewedAt = how.claimedAt;
    this.#seat = how.seats?.seat() ?? null;
    if (how.placed) this.#seat?.take(lease, how.placed.from);
    this.#failuresBefore = how.failuresBefore ?? false;
  }

  /** Whether the turn is to end here. */
  get exhausted(): boolean {
    const { now, budget } = this.deps;
    return this.#calls >= MAX_CALLS || now() - this.#begunAt >= MAX_TURN_MS || !budget.has(STEP_STATEMENTS);
  }

  /** Reads from MLflow under a lease that covers it, if the guard lets it. */
  async call<T>(request: () => Promise<Result<T>>): Promise<Answered<T>> {
    const held = await this.deps.guard.held();
    if (held) return { ok: false, failure: held };
    await this.deps.guard.pace();
    if (!this.#isCovered() && !(await this.#renew())) return { ok: false, failure: null };
    return this.#send(request);
  }

  /** Whether a call may be made without another word to the database. */
  #isCovered(): boolean {
    return (this.#seat?.hasPlace ?? true) && this.#isFresh();
  }

  #isFresh(): boolean {
    return this.deps.now() - this.#renewedAt <= KEEP_MS;
  }

  /** Writes to MLflow in the same way, with what is written noted beside the lease. */
  async write<T>(
    writing: Writing,
    request: (mlflow: MlflowWrites) => Promise<Result<T>>,
    values: Partial<StreamRow> = {},
  ): Promise<Answered<T>> {
    const held = await this.deps.guard.held();
    if (held) return { ok: false, failure: held };
    await this.deps.guard.pace();
    this.begin(writing);
    if (!(await this.#renew(values))) return { ok: false, failure: null };
    this.stream = { ...this.stream, ...values };
    return this.writeUnderLease(request);
  }

  /** Work on another stream under its own lease, such as the parent's, within this turn and by its place. */
  branch(lease: Lease, stream: StreamRow, claimedAt: number): Turn {
    const hasPlace = this.#seat?.hasPlace ?? true;
    // Others have to leave it as long as the branch is at work.
    if (hasPlace) this.#seat?.reserve();
    const seats = hasPlace ? null : (this.#seat?.seats ?? null);
    return new Turn(this.deps, lease, stream, { claimedAt, seats, failuresBefore: this.#failuresBefore });
  }

  /** At its end, whatever came of it: what was begun and not sent is taken back, and its seat is free. */
  leave(): void {
    this.takeBack();
    this.#seat?.leave();
  }

  /**
   * The write that was begun, where the statement before has just renewed the lease. Its answer may have been so long
   * on the way that another has the lease by now, and MLflow cannot tell the two apart: such a call is not made. The
   * breaker hears how it went: only a write tells that MLflow is well, since one that is read only still answers what
   * is read.
   */
  async writeUnderLease<T>(request: (mlflow: MlflowWrites) => Promise<Result<T>>): Promise<Answered<T>> {
    const heard = this.departs();
    let sentAt = 0;
    const result = await this.#send(() => {
      sentAt = this.deps.now();
      return request(this.deps.direct);
    });
    heard(result.ok ? null : result.failure, sentAt);
    if (this.#failuresBefore && result.ok) {
      await recordSuccess(this.deps);
      this.#failuresBefore = false;
    }
    return result;
  }

  async #send<T>(request: () => Promise<Result<T>>): Promise<Answered<T>> {
    if (this.deps.now() - this.#renewedAt > MAX_START_MS) return { ok: false, failure: null };
    this.#calls++;
    return this.#seat === null ? request() : this.#seat.calling(request);
  }

  /** Writes a batch down as it begins to be sent. */
  async mark(mark: Omit<Mark, "fence" | "sent">, needsPlace: boolean): Promise<boolean> {
    const { db } = this.deps;
    return this.#placed(needsPlace, (places) => {
      const { fence, sent } = this;
      return markSent(db, this.lease, { ...mark, fence, sent }, places);
    });
  }

  async #renew(values: Partial<StreamRow> = {}): Promise<boolean> {
    return this.#placed(true, (places) => {
      const { fence, sent } = this;
      return renew(this.deps.db, this.lease, { ...fence, ...values }, { places, sent });
    });
  }

  /** Renews the lease, with a place among the callers where the call needs one. */
  async #placed(needsPlace: boolean, take: (places: Places | null) => Promise<boolean>): Promise<boolean> {
    const seat = needsPlace ? this.#seat : null;
    this.foundNoPlace = false;
    const isTaken = await (seat === null ? this.#renewed(() => take(null)) : this.#seated(seat, take));
    if (!isTaken) this.takeBack();
    return isTaken;
  }

  /** Waits for a place by asking again, which writes nothing, or until another turn of its invocation hands its own on. */
  async #seated(seat: Seat, take: (places: Places) => Promise<boolean>): Promise<boolean> {
    const { now, db, budget, random } = this.deps;
    seat.reserve();
    await seat.settled();
    let lent = seat.hasPlace ? null : seat.seats.soleChance();
    for (let waits = MAX_PLACE_POLLS; ; ) {
      // A place that is about to end may be another's by now.
      const isIn = seat.hasPlace && now() - this.#renewedAt < this.lease.ms / 2;
      const places = { most: seat.seats.most, isIn, from: lent?.lease ?? null };
      if (await this.#renewed(() => lentFor(lent, () => take(places)))) {
        seat.take(this.lease, lent);
        if (lent === null) return true;
        await lent.over;
        if (this.#isFresh()) return true;
        lent = null;
      } else {
        seat.giveUp();
        this.foundNoPlace = await isHeld(db, this.lease);
        if (!this.foundNoPlace || waits-- === 0 || !budget.has(POLL_STATEMENTS)) return false;
        lent = await seat.seats.borrowed(seat, PLACE_POLL_MS * (1 + random()));
      }
    }
  }

  /** @param renew whether it could */
  async #renewed(renew: () => Promise<boolean>): Promise<boolean> {
    const at = this.deps.now();
    if (!(await renew())) return false;
    this.#renewedAt = at;
    this.noted();
    this.sent = null;
    return true;
  }

  /**
   * Keeps the lease, without a place, for what waits for somebody else's call. Where it was taken just now there is
   * nothing to write: what takes longer than the lease less `KEEP_MS` counts it as lost.
   */
  async stay(): Promise<boolean> {
    return (!this.#seat?.hasPlace && this.sent === null && this.#isFresh()) || this.update({});
  }

  /** Writes to the stream, and what else goes with it under the same condition, while the lease is held. */
  async update(values: StreamUpdate, also: readonly Bound[] = []): Promise<boolean> {
    const at = this.deps.now();
    const row = await updateHeld(this.deps.db, this.lease, { ...this.fence, ...values }, this.sent, also);
    if (row === null) return false;
    this.stream = row;
    this.noted();
    this.sent = null;
    this.#seat?.giveUp();
    this.#renewedAt = at;
    return true;
  }
}

/** Takes a place that may be lent. Where nobody knows whether it was taken, it is not given back before it is free. */
async function lentFor<T>(lent: Lent | null, take: () => Promise<T>): Promise<T> {
  try {
    return await take().finally(lent?.heard);
  } catch (error) {
    await lent?.over;
    throw error;
  }
}

/** Ends the turn: the stream stands still until somebody acts. */
export function blocked(block: Block): { ok: false; end: End } {
  return { ok: false, end: { kind: "blocked", block } };
}
