import * as z from "zod";
import { type Random, seeded } from "../../scripts/demo/random.ts";

/** What can go wrong with the platform itself, each with a chance from 0 to 1 at every occasion. */
const TROUBLES = [
  /** Throws and does nothing. */
  "d1.refuse",
  "queue.refuse",
  /** Does it and throws: the answer is lost. */
  "d1.lose",
  "queue.lose",
  /** Does it only when the caller has stopped waiting. */
  "d1.late",
  "queue.late",
  /** Does it, and answers only when the caller's lease has run out. */
  "d1.freeze",
  "fetch.freeze",
  /** The same where it hurts most: the intent to create a run is stored, and the create itself is not sent yet. */
  "intent.freeze",
  /** The queue takes pokes but no events: for when the process is to be killed, since that queue is memory. */
  "payload.refuse",
  "message.twice",
  "message.late",
  /** Goes to the dead-letter queue's consumer instead. */
  "message.dead",
  /** From some statement on, nothing the invocation does has any effect. */
  "invocation.dies",
] as const;

export type Trouble = (typeof TROUBLES)[number];
export type Freeze = Extract<Trouble, `${string}.freeze`>;
export type Chances = Partial<Record<Trouble, number>>;

/** What the harness tells the chaos entry. */
export const orders = z.object({
  seed: z.number(),
  chances: z.partialRecord(z.enum(TROUBLES), z.number()),
});

/** Longer than ingest waits for either store. */
const LATE_MS = 6_000;
/** Longer than a lease lasts under the settings of the tests (twice their timeout, and ten seconds), and than the
 * next holder needs for its own work; but the runtime ends what still waits thirty seconds after its handler. */
const FREEZE_MS = 25_000;
/** For what an invocation does when it goes on. */
const AFTERWARDS_MS = 5_000;
const MAX_EFFECTS_OF_THE_DOOMED = 20;

let random: Random = seeded(1);
let chances: Chances = {};
let struck = 0;
let frozenUntil = 0;

/** From now on troubles come with these chances, drawn from this seed. */
export function setTroubles(seed: number, next: Chances): void {
  random = seeded(seed);
  chances = next;
  struck = 0;
}

/**
 * How often trouble has come since the last order, for a harness that injects nothing proves nothing; and whether some
 * invocation stands still just now.
 */
export function toll(): { struck: number; frozen: boolean } {
  return { struck, frozen: Date.now() < frozenUntil };
}

/** Whether a trouble comes now. What has no chance draws nothing. */
export function strikes(trouble: Trouble): boolean {
  const chance = chances[trouble] ?? 0;
  const comes = chance > 0 && random() < chance;
  if (comes) struck++;
  return comes;
}

/** A whole number below `count`. */
export function draw(count: number): number {
  return Math.floor(random() * count);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** An answer that arrives in time, or after the lease of whoever waits for it. */
export async function perhapsFrozen<T>(trouble: Freeze, answer: T): Promise<T> {
  if (!strikes(trouble)) return answer;
  frozenUntil = Date.now() + FREEZE_MS + AFTERWARDS_MS;
  await sleep(FREEZE_MS);
  return answer;
}

/** One invocation, which may be doomed to die after some effects: the last is done, and its answer never heard. */
export class Life {
  #left = strikes("invocation.dies") ? 1 + draw(MAX_EFFECTS_OF_THE_DOOMED) : Number.POSITIVE_INFINITY;

  get isOver(): boolean {
    return this.#left <= 0;
  }

  /** Does something to a store, with all that can go wrong. */
  async effect<T>(store: "d1" | "queue", work: () => Promise<T>, freeze?: Freeze): Promise<T> {
    this.#check();
    if (strikes(`${store}.refuse`)) throw new Error(`chaos: ${store} refuses`);
    if (strikes(`${store}.late`)) await sleep(LATE_MS);
    this.#check();
    this.#left--;
    const result = await work();
    if (freeze) await perhapsFrozen(freeze, null);
    this.#check();
    if (strikes(`${store}.lose`)) throw new Error(`chaos: the answer of ${store} is lost`);
    return result;
  }

  #check(): void {
    if (this.isOver) throw new Error("chaos: the invocation has died");
  }
}
