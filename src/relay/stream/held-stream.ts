import type { Failure } from "../../mlflow/failure.ts";
import type { Doubt, SentState, Unconfirmed } from "../../store/stream/columns.ts";
import type { Fence, StreamRow } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";

/** The longest from renewing the lease to sending the call that it covers; whoever is later counts it as lost. */
export const MAX_START_MS = 10_000;

const TOO_MANY_REQUESTS = 429;

/** What is about to be written to MLflow, for whoever has to find out whether it was. */
export type Writing = { call: string; token?: string; state?: Partial<SentState>; untag?: string };

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

function doubtOf({ call, token, state, untag }: Writing): string {
  const doubt: Doubt = { call, token: token ?? null, state: state ?? {}, untag };
  return JSON.stringify(doubt);
}

/**
 * A stream as the holder of its lease knows it: the row as last written, but for the write in doubt, which goes with
 * the next statement.
 */
export class HeldStream {
  stream: StreamRow;
  readonly #now: () => number;
  readonly #landingMs: number;
  /** What the row has as sent and still to be seen. */
  #noted: string | null;
  /** What was in doubt, though over, when the present write began. */
  #before: string | null = null;
  #isUnsent = false;
  /** A write that was answered, of which no statement has noted yet what it came to. */
  #answered: string | null = null;

  constructor({ now, config }: Pick<Deps, "now" | "config">, stream: StreamRow) {
    this.stream = stream;
    this.#now = now;
    this.#landingMs = landingMs(config.mlflow.timeoutMs);
    this.#noted = stream.unconfirmed;
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

  /** Takes it that a statement has noted it, and what the write before it came to. */
  protected noted(): void {
    this.#noted = this.stream.unconfirmed;
    this.#answered = null;
  }

  /**
   * Takes a write for begun. Its holder may die before it hears the end: so it is noted in the statement that renews
   * the lease for it, and taken away by whichever statement comes after its answer.
   * @throws where an earlier write may still land, and wipe out this one
   */
  begin(writing: Writing): void {
    const { stream } = this;
    const now = this.#now();
    if (stream.doubt !== null && (stream.fenceUntil ?? 0) > now)
      throw new Error(
        `stream ${stream.key}: ${writing.call} while another write may still land: ${stream.doubt}`,
      );
    this.#before = stream.doubt;
    this.#isUnsent = true;
    this.#doubt(doubtOf(writing), now + this.#landingMs + MAX_START_MS);
  }

  /** Takes a write that was answered for in doubt all the same, though over: it was to be seen in MLflow, and was not. */
  unseen(writing: Writing): void {
    this.#doubt(doubtOf(writing), this.#now());
  }

  /** Takes it that nothing is in doubt any more. */
  noDoubt(): void {
    this.#doubt(null, null);
  }

  /** Takes back a write that was begun and not sent, since the statement before it failed: nothing of it can land. */
  takeBack(): void {
    if (this.#isUnsent)
      this.stream = { ...this.stream, doubt: this.#before, fenceUntil: null, unconfirmed: this.#noted };
    this.#isUnsent = false;
  }

  /**
   * For whoever could not note what a write came to, though it was answered: it is in doubt, and over. What MLflow has of
   * it would pass for somebody's edit there.
   */
  forgetAnswer(): void {
    this.takeBack();
    if (this.#answered !== null) this.#doubt(this.#answered, this.#now());
  }

  /**
   * Takes the write that was begun for sent.
   * @returns to be told how it went: the failure or null, and when it was sent. After a call without an answer MLflow
   *   may still do it for a while, from the call's own start
   */
  protected departs(): (failure: Failure | null, sentAt: number) => void {
    const before = this.#before;
    this.#isUnsent = false;
    return (failure, sentAt) => {
      const effect = failure === null ? "none" : effectOf(failure);
      const { doubt } = this.stream;
      if (failure === null) this.#answered = doubt;
      if (effect === "none" || doubt === null) this.#doubt(before, null);
      else this.#doubt(doubt, effect === "unknown" ? this.#now() : sentAt + this.#landingMs);
    };
  }

  #doubt(doubt: string | null, fenceUntil: number | null): void {
    this.stream = { ...this.stream, doubt, fenceUntil };
  }
}
