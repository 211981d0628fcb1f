import { sleep } from "../../waiting.ts";

/**
 * The streams that the turns of one invocation have in hand. Whoever needs the run that another of these turns is about
 * to make waits for it here, and asks the database once.
 */
export class InHand {
  readonly #runs = new Map<number, PromiseWithResolvers<void>>();

  /** While a turn has the stream; of two with one stream the first counts. */
  async during<T>(streamId: number, turn: () => Promise<T>): Promise<T> {
    if (this.#runs.has(streamId)) return turn();
    const run = Promise.withResolvers<void>();
    this.#runs.set(streamId, run);
    try {
      return await turn();
    } finally {
      this.#runs.delete(streamId);
      run.resolve();
    }
  }

  /** The turn's stream has its run, or is to have none. */
  ready(streamId: number): void {
    this.#runs.get(streamId)?.resolve();
  }

  /**
   * Waits for the run of a stream, or the end of its turn, at most so long.
   * @returns false where no turn has the stream in hand
   */
  async awaited(streamId: number, ms: number): Promise<boolean> {
    const run = this.#runs.get(streamId);
    if (run === undefined) return false;
    await Promise.race([run.promise, sleep(ms)]);
    return true;
  }
}
