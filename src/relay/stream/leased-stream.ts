import type { Bound } from "../../store/sql.ts";
import type { Places } from "../../store/stream/callers.ts";
import {
  isHeld,
  type Lease,
  type StreamRow,
  type StreamUpdate,
  updateHeld,
} from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { HeldStream } from "./held-stream.ts";
import type { Lent, Seat, Seats } from "./seats.ts";

/** A lease that was renewed so short a time ago covers another call. */
export const KEEP_MS = 5_000;

/** How often a place among the callers is asked for, and how many times; those behind wait in the queue. */
const PLACE_POLL_MS = 250;
const MAX_PLACE_POLLS = 60;
/** Waiting must not take what the turn itself is to have. */
const POLL_STATEMENTS = 100;

/** How a holder comes by its lease and its place. */
export type Holding = {
  /** When the lease was asked for, in epoch milliseconds. */
  claimedAt: number;
  /** Where it takes a place for its calls; null: it needs none. */
  seats: Seats | null;
  /** It has one already, which was another's or nobody's. */
  placed?: { from: Lent | null } | undefined;
};

/** A stream whose lease its holder keeps, with a place among the callers around its calls. */
export class LeasedStream extends HeldStream {
  readonly deps: Deps;
  readonly lease: Lease;
  /** The token of a batch that MLflow has, which is forgotten with the next statement. */
  sent: string | null = null;
  /** The call that was to be made found no place among the callers. */
  foundNoPlace = false;
  protected readonly seat: Seat | null;
  protected renewedAt: number;

  constructor(deps: Deps, lease: Lease, stream: StreamRow, { claimedAt, seats, placed }: Holding) {
    super(deps, stream);
    this.deps = { ...deps, mlflow: deps.direct };
    this.lease = lease;
    this.renewedAt = claimedAt;
    this.seat = seats?.seat() ?? null;
    if (placed) this.seat?.take(lease, placed.from);
  }

  /** Whether a call may be made without another word to the database. */
  protected isCovered(): boolean {
    return (this.seat?.hasPlace ?? true) && this.#isFresh();
  }

  #isFresh(): boolean {
    return this.deps.now() - this.renewedAt <= KEEP_MS;
  }

  /** Renews the lease, with a place among the callers where the call needs one. */
  protected async placed(
    needsPlace: boolean,
    take: (places: Places | null) => Promise<boolean>,
  ): Promise<boolean> {
    const seat = needsPlace ? this.seat : null;
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
      const isIn = seat.hasPlace && now() - this.renewedAt < this.lease.ms / 2;
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
    this.renewedAt = at;
    this.noted();
    this.sent = null;
    return true;
  }

  /**
   * Keeps the lease, without a place, for what waits for somebody else's call. Where it was taken just now there is
   * nothing to write: what takes longer than the lease less `KEEP_MS` counts it as lost.
   */
  async stay(): Promise<boolean> {
    return (!this.seat?.hasPlace && this.sent === null && this.#isFresh()) || this.update({});
  }

  /** Writes to the stream, and what else goes with it under the same condition, while the lease is held. */
  async update(values: StreamUpdate, also: readonly Bound[] = []): Promise<boolean> {
    const at = this.deps.now();
    const row = await updateHeld(this.deps.db, this.lease, { ...this.fence, ...values }, this.sent, also);
    if (row === null) return false;
    this.stream = row;
    this.noted();
    this.sent = null;
    this.seat?.giveUp();
    this.renewedAt = at;
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
