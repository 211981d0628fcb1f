import type { StoredEvent, TerminalStatus, TrialStatus } from "./types.ts";

/**
 * Status as a lattice: resume epoch first, then rank, then event time, then event id. For each kind of end the
 * latest is kept, so that a resume learnt of late still finds the ends that came after it.
 */
export type Lifecycle = {
  resumedAt: number | null;
  /** `endedAt`: when it ended, where that is not the time of the event that said so. */
  ends: Partial<Record<TerminalStatus, { at: number; id: string; endedAt?: number | undefined }>>;
  /** When the relay last accepted something of the trainer's. */
  heardAt: number;
  /** The relay's last finding that contact was lost; it stands until the trainer is heard again. */
  quiet: { foundAt: number; heardAt: number; as: QuietStatus } | null;
};

/** What the policy makes of a trial whose trainer fell silent: `left` changes nothing but a tag. */
export type QuietStatus = "left" | "failed" | "cancelled";

export const noLifecycle: Lifecycle = { resumedAt: null, ends: {}, heardAt: 0, quiet: null };

/** cancelled and skipped < failed < succeeded: a trial that did succeed did not fail, whoever says so later. */
const RANKS: Record<TerminalStatus, number> = { cancelled: 1, skipped: 1, failed: 2, succeeded: 3 };
const TERMINAL: readonly TerminalStatus[] = ["cancelled", "skipped", "failed", "succeeded"];

/** The lifecycle after one more event. */
export function lifecycleWith(before: Lifecycle, event: StoredEvent): Lifecycle {
  const { ends: status, endedAt, resumes, quiet } = event.facts ?? {};
  if (quiet) {
    const found = { foundAt: event.acceptedAt, ...quiet };
    return isNewer(found, before.quiet) ? { ...before, quiet: found } : before;
  }
  // What the relay itself writes is not the trainer's voice.
  const heard = event.type.startsWith("relay.")
    ? before
    : { ...before, heardAt: Math.max(before.heardAt, event.acceptedAt) };
  const at = event.occurredAt;
  // An event that both resumes and ends says what stands from its time on, whatever was said before.
  const after = resumes
    ? {
        ...heard,
        resumedAt: Math.max(before.resumedAt ?? 0, at),
        // Whoever says that it goes on speaks for the trainer: no contact is lost.
        heardAt: Math.max(heard.heardAt, event.acceptedAt),
      }
    : heard;
  if (!status) return after;
  const known = before.ends[status];
  if (known && (known.at > at || (known.at === at && known.id >= event.id))) return after;
  return { ...after, ends: { ...before.ends, [status]: { at, id: event.id, endedAt } } };
}

type Quiet = NonNullable<Lifecycle["quiet"]>;

/** Later by when it was found; the rest only makes the order total. */
function isNewer(a: Quiet, b: Quiet | null): boolean {
  return !b || (a.foundAt - b.foundAt || a.heardAt - b.heardAt || (a.as > b.as ? 1 : -1)) > 0;
}

function standing(lifecycle: Lifecycle) {
  return TERMINAL.flatMap((status) => {
    const end = lifecycle.ends[status];
    return end && end.at >= (lifecycle.resumedAt ?? 0) ? [{ status, ...end }] : [];
  });
}

/** The finding that contact was lost, while it stands: no end, and nothing heard since. */
function standingQuiet(lifecycle: Lifecycle) {
  const { quiet, heardAt } = lifecycle;
  return quiet && quiet.foundAt > heardAt && standing(lifecycle).length === 0 ? quiet : null;
}

/** The status that the events so far amount to. */
export function statusOf(lifecycle: Lifecycle): TrialStatus {
  const [first] = standing(lifecycle).sort(
    (a, b) => RANKS[b.status] - RANKS[a.status] || b.at - a.at || (a.id < b.id ? 1 : -1),
  );
  if (first) return first.status;
  const quiet = standingQuiet(lifecycle);
  return quiet && quiet.as !== "left" ? quiet.as : "running";
}

/** The latest end that still stands, or null while running. A trial closed as quiet ended when it was last heard. */
export function endedAt(lifecycle: Lifecycle): number | null {
  const ends = standing(lifecycle);
  if (ends.length > 0) return Math.max(...ends.map((end) => end.endedAt ?? end.at));
  return statusOf(lifecycle) === "running" ? null : lostContactAt(lifecycle);
}

/** When the trainer was last heard before contact was lost; null while it is heard, and after an end. */
export function lostContactAt(lifecycle: Lifecycle): number | null {
  return standingQuiet(lifecycle)?.heardAt ?? null;
}
