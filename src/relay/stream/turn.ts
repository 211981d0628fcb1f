import type { Block } from "../../domain/blocked.ts";
import type { MlflowWrites } from "../../mlflow/client.ts";
import type { Result } from "../../mlflow/failure.ts";
import { type Mark, markSent } from "../../store/delivery/batches.ts";
import { type Lease, renew, type StreamRow } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { recordSuccess } from "../line/breaker.ts";
import { MAX_START_MS, type Writing } from "./held-stream.ts";
import { type Holding, LeasedStream } from "./leased-stream.ts";

/** How a turn with a stream ended. */
export type End =
  | { kind: "done" }
  /** Stopped at a bound with work left. */
  | { kind: "more" }
  /** `isFree`: nothing failed that was tried with it, so that no attempt is spent. */
  | { kind: "wait"; for: "grace" | "parent" | "retry" | "breaker"; ms: number; error?: string; isFree?: true }
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
export class Turn extends LeasedStream {
  /** How many items may be set aside before the server has to take another control write. */
  trust = 0;
  readonly #begunAt: number;
  #calls = 0;
  #failuresBefore: boolean;

  constructor(
    deps: Deps,
    lease: Lease,
    stream: StreamRow,
    { failuresBefore = false, ...holding }: Holding & { failuresBefore?: boolean },
  ) {
    super(deps, lease, stream, holding);
    this.#begunAt = deps.now();
    this.#failuresBefore = failuresBefore;
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
    if (!this.isCovered() && !(await this.#renew())) return { ok: false, failure: null };
    return this.#send(request);
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
    const hasPlace = this.seat?.hasPlace ?? true;
    // Others have to leave it as long as the branch is at work.
    if (hasPlace) this.seat?.reserve();
    const seats = hasPlace ? null : (this.seat?.seats ?? null);
    return new Turn(this.deps, lease, stream, { claimedAt, seats, failuresBefore: this.#failuresBefore });
  }

  /** At its end, whatever came of it: what was begun and not sent is taken back, and its seat is free. */
  leave(): void {
    this.takeBack();
    this.seat?.leave();
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
    if (this.deps.now() - this.renewedAt > MAX_START_MS) return { ok: false, failure: null };
    this.#calls++;
    return this.seat === null ? request() : this.seat.calling(request);
  }

  /** Writes a batch down as it begins to be sent. */
  async mark(mark: Omit<Mark, "fence" | "sent">, needsPlace: boolean): Promise<boolean> {
    const { db } = this.deps;
    return this.placed(needsPlace, (places) => {
      const { fence, sent } = this;
      return markSent(db, this.lease, { ...mark, fence, sent }, places);
    });
  }

  async #renew(values: Partial<StreamRow> = {}): Promise<boolean> {
    return this.placed(true, (places) => {
      const { fence, sent } = this;
      return renew(this.deps.db, this.lease, { ...fence, ...values }, { places, sent });
    });
  }
}

/** Waits for what another has in hand, or what may still land: nothing failed that was tried, so that no attempt is spent. */
export function waitFree(ms: number, error?: string): { ok: false; end: End } {
  return {
    ok: false,
    end: { kind: "wait", for: "retry", ms, ...(error === undefined ? {} : { error }), isFree: true },
  };
}

/** Ends the turn: the stream stands still until somebody acts. */
export function blocked(block: Block): { ok: false; end: End } {
  return { ok: false, end: { kind: "blocked", block } };
}
