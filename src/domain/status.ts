import { type Bar, type End, isAcceptedAfter, isAcceptedBefore, isNewsTo, withEnd } from "./ends.ts";
import type { QuietStatus } from "./facts-schema.ts";
import { isoTime } from "./times.ts";
import type { StoredEvent, TerminalStatus, TrialStatus } from "./types.ts";

/**
 * Status as a lattice: the latest reset first, then rank, then event time, then event id. Order of acceptance is part
 * of the journal (`seq`), so that whatever order it is folded in, the same status comes out.
 */
export type Lifecycle = {
  /** The word over everything accepted before it: the trainer's resume, an operator's decision, or MLflow's. */
  reset: Reset | null;
  /** The last word of the other kind, the trainer's resume or the others', which that one outweighs. */
  outweighed?: Reset | undefined;
  /** The trainer's ends, latest first: those that some reset learnt of late may still let stand. */
  ends: Partial<Record<TerminalStatus, readonly End[]>>;
  /** The last event by which the trainer was heard. */
  heardSeq: number;
  /** The relay's last finding that contact was lost; it stands until the trainer is heard again. */
  quiet: Quiet | null;
};

type Reset = Bar & {
  at: number;
  /** The end that it speaks of itself; null: it says that the trial goes on. */
  says: { status: TerminalStatus; endedAt: number } | null;
};

/** `over`: the last event that the finding knew of. `heardAt`: when the trainer was last heard, to be shown. */
type Quiet = { seq: number; over: number; heardAt: number; as: QuietStatus };

export const noLifecycle: Lifecycle = { reset: null, ends: {}, heardSeq: 0, quiet: null };

/** cancelled and skipped < failed < succeeded: a trial that did succeed did not fail, whoever says so later. */
const RANKS: Record<TerminalStatus, number> = { cancelled: 1, skipped: 1, failed: 2, succeeded: 3 };
const TERMINAL: readonly TerminalStatus[] = ["cancelled", "skipped", "failed", "succeeded"];

/** Whether the relay itself said it: no word of the trainer's. */
export function isRelays({ type }: Pick<StoredEvent, "type">): boolean {
  return type.startsWith("relay.");
}

/** Whether an MLflow client said it through the gateway. */
export function isGateways({ type }: Pick<StoredEvent, "type">): boolean {
  return type.startsWith("mlflow.");
}

/** The lifecycle after one more event. */
export function lifecycleWith(before: Lifecycle, event: StoredEvent): Lifecycle {
  const { seq, id, occurredAt: at, acceptedAt } = event;
  const { ends: status, endedAt, quiet, over = seq } = event.facts ?? {};
  if (quiet) {
    const found = { seq, over, heardAt: quiet.heardAt, as: quiet.as };
    return isLater(found, before.quiet) ? { ...before, quiet: found } : before;
  }
  const reset = resetOf(event);
  // Whoever says that it goes on speaks for the trainer: no contact is lost.
  const isHeard = reset !== null || !isRelays(event);
  const heard = isHeard ? { ...before, heardSeq: Math.max(before.heardSeq, seq) } : before;
  if (reset) return withReset(heard, reset);
  if (!status) return heard;
  const end = { seq, acceptedAt, at, id, ...(endedAt === undefined ? {} : { endedAt }) };
  return { ...heard, ends: { ...before.ends, [status]: withEnd(before.ends[status] ?? [], end) } };
}

/** What an event says over everything said before; null where it is one word among others. */
function resetOf(event: StoredEvent): Reset | null {
  const { seq, occurredAt: at, acceptedAt } = event;
  const { resumes, ends, endedAt, over = seq } = event.facts ?? {};
  const says = ends === undefined ? null : { status: ends, endedAt: endedAt ?? at };
  // A client of MLflow gives no time of its own: its word is over all that was accepted before it.
  const isAbsolute = isRelays(event) || isGateways(event);
  if (says ? isAbsolute || resumes : resumes && isAbsolute) return { seq, over, at, resumed: null, says };
  if (!resumes) return null;
  // Nobody goes on after it was heard that he does: such a clock is ahead.
  return { seq, over: seq, at, resumed: { acceptedAt, at: Math.min(at, acceptedAt) }, says: null };
}

/** Of each kind the last one counts: one of the trainer's that waited in the queue is not later than what it accepted since. */
function withReset(before: Lifecycle, reset: Reset): Lifecycle {
  const known = [before.reset, before.outweighed].find((one) => one && isResume(one) === isResume(reset));
  if (known && !isLaterOfKind(reset, known)) return before;
  const other = [before.reset, before.outweighed].find((one) => one && isResume(one) !== isResume(reset));
  if (!other) return { ...before, reset };
  const isFirst = isLater(reset, other);
  return { ...before, reset: isFirst ? reset : other, outweighed: isFirst ? other : reset };
}

function isResume({ resumed }: Reset): boolean {
  return resumed !== null;
}

function isLaterOfKind(a: Reset, b: Reset): boolean {
  if (!a.resumed || !b.resumed) return isLater(a, b);
  return isAcceptedBefore({ seq: b.seq, ...b.resumed }, { seq: a.seq, ...a.resumed });
}

type Word = { seq: number; over: number };

/** A trainer's resume that another word did not know of is later than it. */
function isLater(a: Word, b: Word | null): boolean {
  return !b || (a.over - b.over || a.seq - b.seq) > 0;
}

/** The ends that stand, the latest of each kind. */
function standing(lifecycle: Lifecycle): (End & { status: TerminalStatus })[] {
  return TERMINAL.flatMap((status) => {
    const end = lifecycle.ends[status]?.find((one) => stands(lifecycle, one));
    return end ? [{ status, ...end }] : [];
  });
}

/**
 * Whether no reset outweighs an end. One from before a resume by its clock, and accepted after it, is an old one that
 * comes late, or a new one by a clock that is behind. It was the end where nothing more is heard.
 */
export function stands({ reset, heardSeq, quiet }: Lifecycle, end: End): boolean {
  if (!reset || isNewsTo(end, reset)) return true;
  const isLastWord = quiet !== null && heardSeq === end.seq && end.seq <= quiet.over;
  return isLastWord && isAcceptedAfter(end, reset);
}

/** The end that decides the status, by the trainer's own word; null while none stands. */
function winner(lifecycle: Lifecycle) {
  const [first] = standing(lifecycle).sort(
    (a, b) => RANKS[b.status] - RANKS[a.status] || b.at - a.at || (a.id < b.id ? 1 : -1),
  );
  return first ?? null;
}

/** Why a trainer's end does not decide the status, once it was folded; null where it does, or is none. */
export function whyOutweighed(lifecycle: Lifecycle, event: StoredEvent): string | null {
  if (!event.facts?.ends || event.facts.resumes || isRelays(event)) return null;
  const first = winner(lifecycle);
  if (first?.id === event.id) return null;
  if (first) return `does not change the status: ${first.status}, said for ${isoTime(first.at)}, stands`;
  const { reset } = lifecycle;
  const said = isoTime(reset?.resumed?.at ?? reset?.at ?? 0);
  return reset?.says
    ? `does not change the status: ${reset.says.status}, taken from MLflow later, stands`
    : `does not change the status: it is from before the resume of ${said}, after which the trial goes on, unless nothing more is heard`;
}

/** The finding that contact was lost, while it stands: no end, and nothing heard since. */
function standingQuiet(lifecycle: Lifecycle) {
  const { quiet, heardSeq, reset } = lifecycle;
  return quiet && heardSeq <= quiet.over && !reset?.says && standing(lifecycle).length === 0 ? quiet : null;
}

/** The status that the events so far amount to. */
export function statusOf(lifecycle: Lifecycle): TrialStatus {
  const said = winner(lifecycle) ?? lifecycle.reset?.says;
  if (said) return said.status;
  const quiet = standingQuiet(lifecycle);
  return quiet && quiet.as !== "left" ? quiet.as : "running";
}

/** The latest end that still stands, or null while running. A trial closed as quiet ended when it was last heard. */
export function endedAt(lifecycle: Lifecycle): number | null {
  const ends = standing(lifecycle);
  if (ends.length > 0) return Math.max(...ends.map((end) => end.endedAt ?? end.at));
  if (lifecycle.reset?.says) return lifecycle.reset.says.endedAt;
  return statusOf(lifecycle) === "running" ? null : lostContactAt(lifecycle);
}

/** When the trainer was last heard before contact was lost; null while it is heard, and after an end. */
export function lostContactAt(lifecycle: Lifecycle): number | null {
  return standingQuiet(lifecycle)?.heardAt ?? null;
}

/** When anything was last said of the status, by the clocks of those who said it; 0: never. */
export function statusSaidAt({ reset, ends }: Lifecycle): number {
  return Math.max(reset?.at ?? 0, ...TERMINAL.map((status) => ends[status]?.[0]?.at ?? 0));
}
