/** The ends of one kind that a trainer has sent, and which of them stand. Pure. */

/** `endedAt`: when it ended, where that is not the time of the event that said so. */
export type End = { seq: number; acceptedAt: number; at: number; id: string; endedAt?: number | undefined };

/** What an end must be news to. */
export type Bar = {
  seq: number;
  /** It outweighs everything up to this `seq`. */
  over: number;
  /** A trainer's resume: ends accepted before it are none of what came of it, nor ends from before its own time, if it has one. */
  resumed: { acceptedAt: number; at: number } | null;
};

/** In the journal's order the first is enough; the others are for resets that are folded before them. */
const MAX_ENDS = 16;

/**
 * One more end among those of its kind, latest first. What is neither accepted nor said later than another can never
 * stand where that one does not, and is left out. So the result does not depend on the order.
 */
export function withEnd(ends: readonly End[], end: End): readonly End[] {
  if (ends.some((one) => covers(one, end))) return ends;
  const sorted = [...ends.filter((one) => !covers(end, one)), end].sort(latestFirst);
  return sorted.length <= MAX_ENDS ? sorted : [...sorted.slice(0, 1), ...sorted.slice(1 - MAX_ENDS)];
}

/** Of some ends the one that was said last and the one that was accepted last, which may be the same. */
export function outermost<E extends End>(ends: readonly E[]): readonly E[] {
  const [latest] = ends.toSorted(latestFirst);
  const [last] = ends.toSorted((a, b) => b.seq - a.seq);
  return [...new Set([latest, last])].flatMap((end) => end ?? []);
}

/** Whether an end is news to what was said over everything before. */
export function isNewsTo(end: End, bar: Bar): boolean {
  const { resumed } = bar;
  // Where its time is the relay's own, it says nothing about a time of the trainer's: that clock may be behind.
  const isSaidAfter = !resumed || resumed.at === resumed.acceptedAt || end.at >= resumed.at;
  return isSaidAfter && isAcceptedAfter(end, bar);
}

/** Whether an end was accepted after what was said over everything before, whatever its clock says. */
export function isAcceptedAfter(end: End, { seq, over, resumed }: Bar): boolean {
  return resumed ? !isAcceptedBefore(end, { seq, ...resumed }) : end.seq > over;
}

/** Whether `b` stands nowhere that `a` does not. */
function covers(a: End, b: End): boolean {
  return a.seq >= b.seq && !isAcceptedBefore(a, b) && !isSaidBefore(a, b);
}

type Accepted = { seq: number; acceptedAt: number };

/** What waited in the queue for the database is journalled after what was accepted later. */
export function isAcceptedBefore(a: Accepted, b: Accepted): boolean {
  return a.acceptedAt < b.acceptedAt || (a.acceptedAt === b.acceptedAt && a.seq < b.seq);
}

/** By event time, ties broken by event id. */
function isSaidBefore(a: End, b: End): boolean {
  return a.at < b.at || (a.at === b.at && a.id < b.id);
}

function latestFirst(a: End, b: End): number {
  return isSaidBefore(a, b) ? 1 : -1;
}
