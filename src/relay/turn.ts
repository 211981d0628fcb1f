import type { Block } from "../domain/blocked.ts";
import type { MlflowWrites } from "../mlflow/client.ts";
import type { Failure, Result } from "../mlflow/failure.ts";
import type { Doubt, SentState, Unconfirmed } from "../store/columns.ts";
import { type Fence, type Lease, renew, type StreamRow, updateHeld } from "../store/leases.ts";
import type { streams } from "../store/schema.ts";
import { recordSuccess } from "./breaker.ts";
import type { Deps } from "./deps.ts";
import { pace } from "./pace.ts";
import { endAfter } from "./stop.ts";

/** The longest from renewing the lease to sending the call that it covers; whoever is later counts it as lost. */
const MAX_START_MS = 10_000;

/** Between reads the lease is renewed so often, well within the time for which it holds. */
const KEEP_MS = 5_000;

/** How a turn with a stream ended. */
export type End =
  | { kind: "done" }
  /** Stopped at a bound with work left. */
  | { kind: "more" }
  | { kind: "wait"; for: "grace" | "parent" | "retry" | "breaker"; ms: number; error?: string }
  | { kind: "blocked"; block: Block }
  /** Another writer has the lease; nothing more may be written. */
  | { kind: "lost" };

export type Step<T = void> = { ok: true; value: T } | { ok: false; end: End };

/** What came of a call; a failure of null: the lease was lost, and the call was not made. */
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
  #calls = 0;
  #failuresBefore: boolean;
  #renewedAt = 0;
  /** What was in doubt, though over, when the present write began. */
  #before: string | null = null;
  #isUnsent = false;

  constructor(deps: Deps, lease: Lease, stream: StreamRow, failuresBefore: boolean) {
    this.deps = { ...deps, mlflow: deps.direct };
    this.lease = lease;
    this.stream = stream;
    this.#begunAt = deps.now();
    this.#failuresBefore = failuresBefore;
  }

  /** Whether the turn is to end here. */
  get exhausted(): boolean {
    const { now, budget } = this.deps;
    return this.#calls >= MAX_CALLS || now() - this.#begunAt >= MAX_TURN_MS || !budget.has(STEP_STATEMENTS);
  }

  /** Reads from MLflow under a renewed lease, if the guard lets it. */
  async call<T>(request: () => Promise<Result<T>>): Promise<Answered<T>> {
    const held = await this.deps.guard.held();
    if (held) return { ok: false, failure: held };
    const since = await this.pace();
    if (!(await this.#renew())) return { ok: false, failure: null };
    return this.#send(since, request);
  }

  /** The same for one of many reads, among which the lease is kept, but not renewed for each. */
  async read<T>(request: () => Promise<Result<T>>): Promise<Answered<T>> {
    if (this.deps.now() - this.#renewedAt > KEEP_MS) return this.call(request);
    const held = await this.deps.guard.admit();
    return held ? { ok: false, failure: held } : this.#send(this.deps.now(), request);
  }

  /** Writes to MLflow in the same way, with what is written noted beside the lease. */
  async write<T>(
    writing: Writing,
    request: (mlflow: MlflowWrites) => Promise<Result<T>>,
  ): Promise<Answered<T>> {
    const held = await this.deps.guard.held();
    if (held) return { ok: false, failure: held };
    const since = await this.pace();
    this.begin(writing);
    if (!(await this.#renew())) return { ok: false, failure: null };
    return this.writeUnderLease(since, request);
  }

  /** The write in doubt, for a statement that renews the lease or gives it back. */
  get fence(): Fence {
    const { doubt, fenceUntil, unconfirmed } = this.stream;
    return { doubt, fenceUntil, unconfirmed };
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
  begin({ call, token, state }: Writing): Fence {
    const { deps, stream } = this;
    if (stream.doubt !== null && (stream.fenceUntil ?? 0) > deps.now())
      throw new Error(`stream ${stream.key}: ${call} while another write may still land: ${stream.doubt}`);
    this.#before = stream.doubt;
    this.#isUnsent = true;
    const doubt: Doubt = { call, token: token ?? null, state: state ?? {} };
    return this.#doubt(JSON.stringify(doubt), landingMs(deps.config.mlflow.timeoutMs) + MAX_START_MS);
  }

  /** Takes it that nothing is in doubt any more. */
  settled(): void {
    this.stream = { ...this.stream, doubt: null, fenceUntil: null };
  }

  /** Takes back a write that was begun and not sent, since the statement before it failed: nothing of it can land. */
  takeBack(): void {
    if (this.#isUnsent) this.stream = { ...this.stream, doubt: this.#before, fenceUntil: null };
    this.#isUnsent = false;
  }

  #doubt(doubt: string, ms: number): Fence {
    this.stream = { ...this.stream, doubt, fenceUntil: this.deps.now() + ms };
    return this.fence;
  }

  /** Waits for a call's place in the row; answers when it may begin, in epoch milliseconds. */
  async pace(): Promise<number> {
    await pace(this.deps);
    return this.deps.now();
  }

  /** Work on another stream under its own lease, such as the parent's, within this turn. */
  branch(lease: Lease, stream: StreamRow): Turn {
    return new Turn(this.deps, lease, stream, this.#failuresBefore);
  }

  /**
   * The write that was begun, where the statement before has just renewed the lease. Its answer may have been so long on the way that
   * another has the lease by now, and MLflow cannot tell the two apart: such a call is not made. The breaker hears how
   * it went: only a write tells that MLflow is well, since one that is read only still answers what is read. After a
   * call without an answer MLflow may still do it for a while, from the call's own start.
   * @param since when `pace` let it begin, before that statement
   */
  async writeUnderLease<T>(
    since: number,
    request: (mlflow: MlflowWrites) => Promise<Result<T>>,
  ): Promise<Answered<T>> {
    const before = this.#before;
    this.#isUnsent = false;
    let startedAt = 0;
    const result = await this.#send(since, () => {
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

  async #send<T>(since: number, request: () => Promise<Result<T>>): Promise<Answered<T>> {
    if (this.deps.now() - since > MAX_START_MS) return { ok: false, failure: null };
    this.#calls++;
    return request();
  }

  async #renew(): Promise<boolean> {
    this.#renewedAt = this.deps.now();
    return renew(this.deps.db, this.lease, this.fence);
  }

  /** Writes to the stream while the lease is held. */
  async update(values: Partial<typeof streams.$inferInsert>): Promise<boolean> {
    const row = await updateHeld(this.deps.db, this.lease, { ...this.fence, ...values });
    if (row) this.stream = row;
    return row !== null;
  }

  /** What a failure that this stage cannot settle means for the turn. Null: the lease was lost. */
  async stop(failure: Failure | null): Promise<{ ok: false; end: End }> {
    if (failure === null) return { ok: false, end: { kind: "lost" } };
    this.deps.log.warn("MLflow call failed", {
      stream: this.stream.key,
      kind: failure.kind,
      status: failure.status,
      error: failure.message,
    });
    return { ok: false, end: await endAfter(this, failure) };
  }
}

/** Ends the turn: the stream stands still until somebody acts. */
export function blocked(block: Block): { ok: false; end: End } {
  return { ok: false, end: { kind: "blocked", block } };
}
