import { databaseAround } from "../../src/store/database/around.ts";

/** A database whose user dies, or sleeps, at a chosen one of its round trips. */

/** `before`: what was asked never came to the database. `after`: it was done, and nobody heard it. */
export const MOMENTS = ["before", "after"] as const;
/** It dies, or it sleeps for so long that another takes what it has in hand, and goes on as if nothing had been. */
export type Death = { trip: number; moment: (typeof MOMENTS)[number]; sleeps?: boolean };

/** Longer than any lease. */
export const SLEEP_MS = 600_000;

/**
 * The database of an isolate that dies, or sleeps, at one of its round trips, and how many there were.
 * @param begins is called with the number of each as it begins
 */
export function mortal(
  real: D1Database,
  death: Death | null,
  sleep: () => Promise<void>,
  begins: (trip: number) => void = () => {},
) {
  const state = { trips: 0 };
  const trip = async <T>(work: () => Promise<T>): Promise<T> => {
    const n = state.trips++;
    begins(n);
    if (death?.sleeps) {
      if (n === death.trip && death.moment === "before") await sleep();
      const answer = await work();
      if (n === death.trip && death.moment === "after") await sleep();
      return answer;
    }
    const isDead = death !== null && (n > death.trip || (n === death.trip && death.moment === "before"));
    if (isDead) throw new Error("the isolate is gone");
    const answer = await work();
    if (n === death?.trip) throw new Error("the isolate is gone");
    return answer;
  };
  return { db: databaseAround(real, (_, work) => trip(work)), state };
}
