/** D1 takes so many statements from one invocation, those of batches counted (D1's limits, paid plan). */
export const MAX_STATEMENTS = 1_000;

/** Kept back for what ends work that was begun: leases and locks given back, counts and reports written down. */
export const ENDING_STATEMENTS = 60;

/** Consumers and the cron have fifteen minutes; what is begun may take some of them, but for the last moments. */
const MAX_BEGIN_MS = 5 * 60_000;
const MAX_MS = 14 * 60_000;

/** Thrown in place of a statement for which there is no room: whatever was begun goes on in another invocation. */
export class OutOfStatements extends Error {
  constructor() {
    super("the invocation has no statements left");
  }
}

/** Whether that is what was thrown, also where Drizzle has wrapped it. */
export function isOutOfStatements(error: unknown): boolean {
  if (error instanceof OutOfStatements) return true;
  return error instanceof Error && isOutOfStatements(error.cause);
}

/**
 * What an invocation may still ask of its database. Every statement is drawn from it where it is run (`counted`), so
 * that nobody has to know what anything costs: a loop asks whether there is room before it begins something more.
 */
export class Budget {
  readonly #parent: Budget | null;
  readonly #now: () => number;
  readonly #beginUntil: number;
  #left: number;
  #endings: number;

  private constructor(
    parent: Budget | null,
    left: number,
    endings: number,
    now: () => number,
    until: number,
  ) {
    this.#parent = parent;
    this.#left = left;
    this.#endings = endings;
    this.#now = now;
    this.#beginUntil = until;
  }

  /** The budget of one invocation, which begins now. */
  static ofInvocation(now: () => number, statements = MAX_STATEMENTS): Budget {
    return new Budget(null, statements - ENDING_STATEMENTS, ENDING_STATEMENTS, now, now() + MAX_BEGIN_MS);
  }

  /** How many statements are left for work. */
  get left(): number {
    return this.#left + (this.#parent?.left ?? 0);
  }

  /** Whether something that may take so many statements can still be begun. */
  has(statements: number): boolean {
    return this.left >= statements && this.#now() < this.#beginUntil;
  }

  /** How long what is begun now may take, ms. */
  get msLeft(): number {
    return this.#beginUntil - MAX_BEGIN_MS + MAX_MS - this.#now();
  }

  /**
   * Sets so many aside, as far as there are, for work that is to have them whatever goes on beside it. It may take more
   * where there is more. What is left of them goes back by `close`.
   */
  share(statements: number): Budget {
    const own = Math.min(statements, this.left);
    this.draw(own);
    return new Budget(this, own, 0, this.#now, this.#beginUntil);
  }

  /** Ends a share. */
  close(): void {
    if (this.#parent) this.#parent.#left += this.#left;
    this.#left = 0;
  }

  /**
   * Takes so many, all or none.
   * @throws OutOfStatements where there are not so many
   */
  draw(statements: number): void {
    if (!this.#take(statements)) throw new OutOfStatements();
  }

  /** The same for what ends work that was begun: it may also have what is kept back for that. */
  drawForEnding(statements: number): void {
    if (this.#take(statements)) return;
    const root = this.#root();
    if (root.#endings < statements) throw new OutOfStatements();
    root.#endings -= statements;
  }

  #take(statements: number): boolean {
    if (this.left < statements) return false;
    const own = Math.min(this.#left, statements);
    this.#left -= own;
    this.#parent?.draw(statements - own);
    return true;
  }

  #root(): Budget {
    return this.#parent ? this.#parent.#root() : this;
  }
}
