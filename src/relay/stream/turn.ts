import type { Block } from "../../domain/blocked.ts";
import type { MlflowWrites } from "../../mlflow/client.ts";
import type { Failure, Result } from "../../mlflow/failure.ts";
import { type Mark, markSent } from "../../store/delivery/batches.ts";
import type { Bound } from "../../store/sql.ts";
import type { Doubt, SentState, Unconfirmed } from "../../store/stream/columns.ts";
import {
  type Fence,
  isHeld,
  type Lease,
  renew,
  type StreamRow,
  type StreamUpdate,
  updateHeld,
} from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";
import { recordSuccess } from "../line/breaker.ts";

/** The longest from renewing the lease to sending the call that it covers; whoever is later counts it as lost. */
const MAX_START_MS = 10_000;

/** A lease that was renewed so short a time ago covers another call. */
const KEEP_MS = 5_000;

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

/** What is about to be written to MLflow, for whoever has to find out whether it was. */
export type Writing = { call: string; token?: string; state?: Partial<SentState> };

const TOO_MANY_REQUESTS = 429;

/** How soon to come back for what failed in the relay's own house. */
export const RETRY_SOON_MS = 2_000;
/** The most calls to MLflow in one turn, and about the longest, so that one huge trial cannot hold the others up. */
const MAX_CALLS = 40;
const MAX_TURN_MS = 60_000;
/** A step that takes more is cut short, and goes on in the next turn. */
const STEP_STATEMENTS = 40;

/** A lease outlasts the call it covers and the time in which a call that timed out may still land. */
export function leaseMs(timeoutMs: number): number {
  return landingMs(timeoutMs) + MAX_START_MS;
}

/** From sending until a call without an answer can no longer take effect: its timeout, and as long again. */
export function landingMs(timeoutMs: number): number {
  return 2 * timeoutMs;
}

/** What a failed write leaves behind: nothing, or its effect in doubt, though over, or it may even still land. */
function effectOf({ kind, status }: Failure): "none" | "unknown" | "under way" {
  if (kind === "ambiguous") return "under way";
  // An error may follow the commit, and what stands between may answer in MLflow's place. A rate limiter refuses before
  // anything is done.
  const inDoubt = kind === "transient" || kind === "misconfigured";
  return inDoubt && status !== TOO_MANY_REQUESTS ? "unknown" : "none";
}

/**
 * One holder's work on one stream, from claim to release. `stream` is the row as last written, but for the write in
 * doubt, which goes with the next statement.
 */
export class Turn {
  readonly deps: Deps;
  readonly lease: Lease;
  stream: StreamRow;
  /** How many items may be set aside before the server has to take another control write. */
  trust = 0;
  readonly #begunAt: number;
  /** The token of a batch that MLflow has, which is forgotten with the next statement. */
  sent: string | null = null;
  readonly #places: number | null;
  #hasPlace = false;
  /** The call that was to be made found no place among the callers. */
  foundNoPlace = false;
  #calls = 0;
  #failuresBefore: boolean;
  #renewedAt: number;
  /** What the row has as sent and still to be seen. */
  #noted: string | null;
  /** What was in doubt, though over, when the present write began. */
  #before: string | null = null;
  #isUnsent = false;

  /**
   * @param how.claimedAt when the lease was asked for, in epoch milliseconds
   * @param how.places how many streams may call MLflow at once; null: this one needs no place
   */
  constructor(
    deps: Deps,
    lease: Lease,
    stream: StreamRow,
    how: { claimedAt: number; places: number | null; failuresBefore?: boolean },
  ) {
    this.deps = { ...deps, mlflow: deps.direct };
    this.lease = lease;
    this.stream = stream;
    this.#begunAt = deps.now();
    this.#noted = stream.unconfirmed;
    this.#renewedAt = how.claimedAt;
    this.#places = how.places;
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
    const isCovered = this.#places === null || this.#hasPlace;
    if (!(isCovered && this.#isFresh()) && !(await this.#renew())) return { ok: false, failure: null };
    return this.#send(request);
  }

  /** The same for one of many reads, which share their place. */
  async read<T>(request: () => Promise<Result<T>>): Promise<Answered<T>> {
    if (!this.#isFresh()) return this.call(request);
    const held = await this.deps.guard.admit();
    return held ? { ok: false, failure: held } : this.#send(request);
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

  /** The write in doubt, for a statement that renews the lease or gives it back. */
  get fence(): Fence {
    const { doubt, fenceUntil, unconfirmed } = this.stream;
    return { doubt, fenceUntil, ...(unconfirmed === this.#noted ? {} : { unconfirmed }) };
  }

  /** What was sent and is still to be seen in MLflow, noted with the next statement. */
  expect(sent: readonly Unconfirmed[]): void {
    this.stream = { ...this.stream, unconfirmed: sent.length === 0 ? null : JSON.stringify(sent) };
  }

  /**
   * Takes a write for begun. Its holder may die before it hears the end: so it is noted in the statement that renews
   * the lease for it, and taken away by whichever statement comes after its answer.
   * @throws where an earlier write may still land, and wipe out this one
   */
  begin({ call, token, state }: Writing): void {
    const { deps, stream } = this;
    if (stream.doubt !== null && (stream.fenceUntil ?? 0) > deps.now())
      throw new Error(`stream ${stream.key}: ${call} while another write may still land: ${stream.doubt}`);
    this.#before = stream.doubt;
    this.#isUnsent = true;
    const doubt: Doubt = { call, token: token ?? null, state: state ?? {} };
    this.#doubt(JSON.stringify(doubt), landingMs(deps.config.mlflow.timeoutMs) + MAX_START_MS);
  }

  /** Takes it that nothing is in doubt any more. */
  settled(): void {
    this.stream = { ...this.stream, doubt: null, fenceUntil: null };
  }

  /** Takes back a write that was begun and not sent, since the statement before it failed: nothing of it can land. */
  takeBack(): void {
    if (this.#isUnsent)
      this.stream = { ...this.stream, doubt: this.#before, fenceUntil: null, unconfirmed: this.#noted };
    this.#isUnsent = false;
  }

  #doubt(doubt: string, ms: number): void {
    this.stream = { ...this.stream, doubt, fenceUntil: this.deps.now() + ms };
  }

  /** Work on another stream under its own lease, such as the parent's, within this turn and by its place. */
  branch(lease: Lease, stream: StreamRow, claimedAt: number): Turn {
    const places = this.#hasPlace ? null : this.#places;
    return new Turn(this.deps, lease, stream, { claimedAt, places, failuresBefore: this.#failuresBefore });
  }

  /**
   * The write that was begun, where the statement before has just renewed the lease. Its answer may have been so long on the way that
   * another has the lease by now, and MLflow cannot tell the two apart: such a call is not made. The breaker hears how
   * it went: only a write tells that MLflow is well, since one that is read only still answers what is read. After a
   * call without an answer MLflow may still do it for a while, from the call's own start.
   */
  async writeUnderLease<T>(request: (mlflow: MlflowWrites) => Promise<Result<T>>): Promise<Answered<T>> {
    const before = this.#before;
    this.#isUnsent = false;
    let startedAt = 0;
    const result = await this.#send(() => {
      startedAt = this.deps.now();
      return request(this.deps.direct);
    });
    const effect = result.ok || result.failure === null ? "none" : effectOf(result.failure);
    const { doubt } = this.stream;
    if (effect === "none" || doubt === null)
      this.stream = { ...this.stream, doubt: before, fenceUntil: null };
    else if (effect === "unknown") this.#doubt(doubt, 0);
    else this.#doubt(doubt, startedAt + landingMs(this.deps.config.mlflow.timeoutMs) - this.deps.now());
    if (this.#failuresBefore && result.ok) {
      await recordSuccess(this.deps);
      this.#failuresBefore = false;
    }
    return result;
  }

  async #send<T>(request: () => Promise<Result<T>>): Promise<Answered<T>> {
    if (this.deps.now() - this.#renewedAt > MAX_START_MS) return { ok: false, failure: null };
    this.#calls++;
    return request();
  }

  /** Writes a batch down as it begins to be sent. */
  async mark(mark: Omit<Mark, "fence" | "sent">, needsPlace: boolean): Promise<boolean> {
    const { db } = this.deps;
    return this.#placed((places) => {
      const { fence, sent } = this;
      return markSent(db, this.lease, { ...mark, fence, sent }, needsPlace ? places : null);
    });
  }

  async #renew(values: Partial<StreamRow> = {}): Promise<boolean> {
    return this.#placed((places) => {
      const { fence, sent } = this;
      return renew(this.deps.db, this.lease, { ...fence, ...values }, { places, sent });
    });
  }

  /** Renews the lease with a place among the callers; waits for one by asking again, which writes nothing. */
  async #placed(take: (places: number | null) => Promise<boolean>): Promise<boolean> {
    for (let polls = 0; ; polls++) {
      const at = this.deps.now();
      if (await take(this.#places)) {
        this.#renewedAt = at;
        this.#hasPlace = this.#places !== null;
        this.#noted = this.stream.unconfirmed;
        this.sent = null;
        return true;
      }
      const isFull = this.#places !== null && (await isHeld(this.deps.db, this.lease));
      if (!isFull || polls === MAX_PLACE_POLLS || !this.deps.budget.has(POLL_STATEMENTS)) {
        this.foundNoPlace = isFull;
        this.takeBack();
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, PLACE_POLL_MS * (1 + this.deps.random())));
    }
  }

  /** Writes to the stream, and what else goes with it under the same condition, while the lease is held. */
  async update(values: StreamUpdate, also: readonly Bound[] = []): Promise<boolean> {
    const at = this.deps.now();
    const row = await updateHeld(this.deps.db, this.lease, { ...this.fence, ...values }, this.sent, also);
    if (row === null) return false;
    this.stream = row;
    this.#noted = row.unconfirmed;
    this.sent = null;
    this.#hasPlace = false;
    this.#renewedAt = at;
    return true;
  }
}

/** Ends the turn: the stream stands still until somebody acts. */
export function blocked(block: Block): { ok: false; end: End } {
  return { ok: false, end: { kind: "blocked", block } };
}
