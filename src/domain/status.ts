import type { StoredEvent, TerminalStatus, TrialStatus } from "./types.ts";

/**
 * Status as a lattice: resume epoch first, then rank, then event time, then event id. For each kind of end the
 * latest is kept, so that a resume learnt of late still finds the ends that came after it.
 */
export type Lifecycle = {
  resumedAt: number | null;
  ends: Partial<Record<TerminalStatus, { at: number; id: string }>>;
};

export const noLifecycle: Lifecycle = { resumedAt: null, ends: {} };

/** cancelled and skipped < failed < succeeded: a trial that did succeed did not fail, whoever says so later. */
const RANKS: Record<TerminalStatus, number> = { cancelled: 1, skipped: 1, failed: 2, succeeded: 3 };
const TERMINAL: readonly TerminalStatus[] = ["cancelled", "skipped", "failed", "succeeded"];

/** The lifecycle after one more event. */
export function lifecycleWith(before: Lifecycle, event: StoredEvent): Lifecycle {
  const { ends: status, resumes } = event.facts ?? {};
  if (resumes) return { ...before, resumedAt: Math.max(before.resumedAt ?? 0, event.occurredAt) };
  if (!status) return before;
  const known = before.ends[status];
  const at = event.occurredAt;
  if (known && (known.at > at || (known.at === at && known.id >= event.id))) return before;
  return { ...before, ends: { ...before.ends, [status]: { at, id: event.id } } };
}

function standing(lifecycle: Lifecycle) {
  return TERMINAL.flatMap((status) => {
    const end = lifecycle.ends[status];
    return end && end.at >= (lifecycle.resumedAt ?? 0) ? [{ status, ...end }] : [];
  });
}

/** The status that the events so far amount to. */
export function statusOf(lifecycle: Lifecycle): TrialStatus {
  const [first] = standing(lifecycle).sort(
    (a, b) => RANKS[b.status] - RANKS[a.status] || b.at - a.at || (a.id < b.id ? 1 : -1),
  );
  return first?.status ?? "running";
}

/** The latest end that still stands, or null while running. */
export function endedAt(lifecycle: Lifecycle): number | null {
  const ends = standing(lifecycle);
  return ends.length === 0 ? null : Math.max(...ends.map((end) => end.at));
}
