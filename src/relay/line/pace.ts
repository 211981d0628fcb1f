import { takePlaces } from "../../store/ops/breakers.ts";
import { sleep } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { serverOf } from "./breaker.ts";

/** The most places that are taken at once, and never more than for a second: others stand behind them in the row. */
const MAX_PLACES = 16;

/**
 * An invocation's places in the row of calls, where calls a second are bounded (Databricks takes 47 log-batch calls a
 * second). The row is in D1, so the bound holds for all isolates together; it is short, because so are the turns
 * that may call at once. Who calls again and again takes several places by one statement, as many as it has use for.
 */
export class Pace {
  readonly #deps: Pick<Deps, "db" | "config" | "now">;
  /** When the places that were taken and not used are due, in epoch milliseconds. */
  #left: number[] = [];
  #taking: Promise<unknown> | null = null;
  /** How many were taken the last time, and how many of them were used. */
  #taken = 0;
  #used = 0;

  constructor(deps: Pick<Deps, "db" | "config" | "now">) {
    this.#deps = deps;
  }

  /** Waits for a call's place. */
  async wait(): Promise<void> {
    const { maxCallsPerSecond } = this.#deps.config;
    if (maxCallsPerSecond === 0) return;
    const waitMs = (await this.#place(maxCallsPerSecond)) - this.#deps.now();
    if (waitMs > 0) await sleep(waitMs);
  }

  async #place(callsPerSecond: number): Promise<number> {
    const intervalMs = Math.ceil(1000 / callsPerSecond);
    for (;;) {
      // What is past is lost, so that calls do not come closer than they may.
      const isPast = (at: number) => at + intervalMs <= this.#deps.now();
      const at = this.#left.find((one) => !isPast(one));
      this.#left = this.#left.filter((one) => one !== at && !isPast(one));
      if (at !== undefined) {
        this.#used++;
        return at;
      }
      if (this.#taking === null) return this.#take(Math.min(MAX_PLACES, callsPerSecond), intervalMs);
      await this.#taking;
    }
  }

  /** Takes more places, and gives the first of them. */
  async #take(most: number, intervalMs: number): Promise<number> {
    const hadUse = this.#used === this.#taken || this.#used > 1;
    const places = Math.max(1, Math.min(most, hadUse ? 2 * this.#taken : Math.floor(this.#taken / 2)));
    const { db, now } = this.#deps;
    const taking = takePlaces(db, serverOf(this.#deps), { places, intervalMs }, now());
    this.#taking = taking.catch(() => null);
    try {
      const first = (await taking) + now();
      this.#left = Array.from({ length: places - 1 }, (_, n) => first + (n + 1) * intervalMs);
      this.#taken = places;
      this.#used = 1;
      return first;
    } finally {
      this.#taking = null;
    }
  }
}
