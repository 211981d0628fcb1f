import type { Lease } from "../../store/stream/leases.ts";
import { sleep } from "../../waiting.ts";

/** So long a place goes from turn to turn of an invocation; then it is anybody's, when the turn that has it ends. */
const PASSED_ON_MS = 20_000;
/**
 * A body leaves in pieces of 8 kB, and what else is ready has the processor between two of them: the first piece of a large
 * batch was seen to leave 10 to 60 ms before the last, for which MLflow waits. All of them take less than this alone.
 */
const SENDING_MS = 10;

/** A place that was another turn's. */
export type Lent = {
  /** By whose lease it was taken. */
  lease: Lease;
  /** Since when its invocation has it. */
  since: number;
  /** The end of the call that is made by it; until then it is not given back, whatever becomes of who has it now. */
  over: Promise<void>;
  /** To be told once the database has answered who has it. */
  heard: () => void;
};

/**
 * The places among the callers that the turns of one invocation have. What one has between its calls, and even during
 * one, another may take over, so that its own call is all ready when that one is over: MLflow need not wait for the
 * database. The calls under way are never more than the places.
 */
export class Seats {
  readonly now: () => number;
  /** How many streams may call MLflow at once, of all invocations together. */
  readonly most: number;
  readonly #seats = new Set<Seat>();
  /** Those that wait for a place, in the order in which they came. */
  readonly #waiting = new Map<Seat, (lent: Lent) => void>();

  constructor({ now, config }: { now: () => number; config: { maxConcurrentCalls: number } }) {
    this.now = now;
    this.most = config.maxConcurrentCalls;
  }

  /** A seat for a turn, without a place. */
  seat(): Seat {
    const seat = new Seat(this);
    this.#seats.add(seat);
    return seat;
  }

  leave(seat: Seat): void {
    this.#seats.delete(seat);
  }

  /** The place of another turn, where this invocation has all that there are: asking for one more would be in vain. */
  soleChance(): Lent | null {
    const placed = [...this.#seats].filter(({ hasPlace }) => hasPlace);
    return placed.length < this.most ? null : this.#borrowed();
  }

  /** The place of another turn, which may be waited for; null after `ms`. */
  async borrowed(to: Seat, ms: number): Promise<Lent | null> {
    return (
      this.#borrowed() ??
      new Promise((resolve) => {
        const timer = setTimeout(() => this.#waiting.delete(to) && resolve(null), ms);
        this.#waiting.set(to, (lent) => {
          clearTimeout(timer);
          resolve(lent);
        });
      })
    );
  }

  #borrowed(): Lent | null {
    for (const seat of this.#seats) {
      const lent = seat.lend();
      if (lent !== null) return lent;
    }
    return null;
  }

  /** One may have a place to spare, and lends it to whoever has waited for the longest time. */
  offer(from: Seat): void {
    for (const [to, take] of this.#waiting) {
      const lent = from.lend();
      if (lent === null) return;
      this.#waiting.delete(to);
      take(lent);
    }
  }
}

/** A turn's place among the callers, as its invocation knows it. */
export class Seat {
  readonly seats: Seats;
  #lease: Lease | null = null;
  /** Since when its invocation has the place; null: the turn has none. */
  #since: number | null = null;
  /** It was taken for a call that is still to begin. */
  #isReserved = false;
  #calls = 0;
  /** Calls that failed, and of which the turn is still to make what they mean: it may probe MLflow for that. */
  #failed = 0;
  #over = Promise.withResolvers<void>();
  #heard: Promise<void> = Promise.resolve();

  constructor(seats: Seats) {
    this.seats = seats;
  }

  get hasPlace(): boolean {
    return this.#since !== null;
  }

  /** Keeps the place, if it has one, for a call that comes now. */
  reserve(): void {
    this.#conclude();
    this.#isReserved = true;
  }

  /**
   * Until whom the place was lent to has heard whether he has it: before that the database may still give it to this
   * turn, and then to the other.
   */
  async settled(): Promise<void> {
    await this.#heard;
  }

  /** @param from whose place it was; null: nobody's of this invocation */
  take(lease: Lease, from: Lent | null): void {
    this.#lease = lease;
    this.#since ??= from?.since ?? this.seats.now();
    this.#isReserved = true;
  }

  giveUp(): void {
    this.#conclude();
    this.#since = null;
  }

  /** At the end of its turn. */
  leave(): void {
    this.giveUp();
    this.seats.leave(this);
  }

  /** The place, for another turn: this one has to take one for its next call. */
  lend(): Lent | null {
    const since = this.#since;
    if (since === null || this.#lease === null || this.#isReserved) return null;
    if (this.seats.now() - since > PASSED_ON_MS) return null;
    this.#since = null;
    const heard = Promise.withResolvers<void>();
    this.#heard = heard.promise;
    const over = this.#calls > 0 ? this.#over.promise : Promise.resolve();
    return { lease: this.#lease, since, over, heard: heard.resolve };
  }

  /** Makes a call, by the place if there is one. One that failed is over with what the turn does next. */
  async calling<T extends { ok: boolean }>(call: () => Promise<T>): Promise<T> {
    this.#conclude();
    if (this.#calls++ === 0) this.#over = Promise.withResolvers();
    this.#isReserved = false;
    this.seats.offer(this);
    let isOver = false;
    try {
      const answer = await call();
      isOver = answer.ok;
      return answer;
    } finally {
      if (isOver) this.#end();
      else this.#failed++;
      this.seats.offer(this);
      // Another's call is to be on its way, whole, before this turn has the processor for what it does next.
      if (isOver && !this.hasPlace) await sleep(SENDING_MS);
    }
  }

  #end(): void {
    if (--this.#calls === 0) this.#over.resolve();
  }

  #conclude(): void {
    for (; this.#failed > 0; this.#failed--) this.#end();
  }
}
