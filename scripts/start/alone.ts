import { withLock } from "../lib/lock.ts";

/**
 * Runs the relay of this folder, unless one runs already: a second one, at whatever port, would take the first one's
 * build and database from under it.
 * @throws Error that says so
 */
export function alone(lock: string, work: () => Promise<void>): Promise<void> {
  return withLock(lock, work, () => {
    throw new Error(
      `\`npm start\` runs in this folder already: stop it first. If none does, delete ${lock} and start again.`,
    );
  });
}
