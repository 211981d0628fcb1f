import { MAX_SAID } from "../../domain/problems.ts";
import type { EventType, JournalEvent } from "../../domain/types.ts";
import { type Failure, problemBody } from "../../errors.ts";
import type { EventOutcome } from "../../store/journal/journal.ts";
import type { EventResults, EventsRefused, EventTaken } from "./contract.ts";

/** What is said of one item: it is kept (or was before), or why not. */
export type Verdict =
  | { ok: true; type: EventType; event: JournalEvent; unsaid: number; outcome: EventOutcome }
  | { ok: false; failure: Failure };
type Taken = Extract<Verdict, { ok: true }>;

/** What an answer says of all its items together, beside the first of each: it grows with the request, and no faster. */
const MAX_SAID_OF_ALL = 1_000;

/** The original's answer for an event, and the first `most` things of it that were not taken as sent. */
export function eventAnswer({ type, event, unsaid, outcome }: Taken, most = MAX_SAID): EventTaken {
  const warnings = (event.warnings ?? []).slice(0, most);
  const more = (event.warnings?.length ?? 0) + unsaid - warnings.length;
  return {
    success: true,
    event_id: outcome.eventId,
    event_name: type,
    correlation_id: event.correlationId,
    message: "Event accepted for processing",
    ...(outcome.kind === "duplicate" ? { duplicate: true } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(more > 0 ? { more_warnings: more } : {}),
  };
}

/** A result an item, and how many came to what. */
export function eventResults(verdicts: readonly Verdict[]): EventResults {
  let left = MAX_SAID_OF_ALL;
  const results = verdicts.map((verdict, index) => {
    const most = Math.min(MAX_SAID, Math.max(1, left));
    const result = verdict.ok
      ? eventAnswer(verdict, most)
      : problemBody(withIndex(verdict.failure, index), most);
    left -=
      "errors" in result ? (result.errors?.length ?? 0) : "warnings" in result ? result.warnings.length : 0;
    return { index, ...result };
  });
  const taken = verdicts.filter((verdict) => verdict.ok);
  return {
    accepted: taken.filter((verdict) => verdict.outcome.kind === "accepted").length,
    duplicates: taken.filter((verdict) => verdict.outcome.kind === "duplicate").length,
    rejected: verdicts.length - taken.length,
    results,
  };
}

/** The answer when none was taken: the first one's problem, and a result each. */
export function allRefused(failure: Failure, verdicts: readonly Verdict[], requestId: string): Response {
  // What is wrong with each is said in its result.
  const { errors: _, more_errors: __, ...problem } = problemBody(failure);
  const body: EventsRefused = { ...problem, ...eventResults(verdicts), request_id: requestId };
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: { "content-type": "application/problem+json" },
  });
}

function withIndex(failure: Failure, index: number): Failure {
  return failure.kind === "rejected" ? { ...failure, index } : failure;
}
