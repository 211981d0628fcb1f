import { MAX_EVENT_ID_CHARS } from "../../domain/limits.ts";
import { invalid } from "../../domain/problems.ts";
import { type Failure, HttpFailure } from "../../errors.ts";
import { identify } from "../../relay/intake/identify.ts";
import { ingest } from "../../relay/intake/ingest.ts";
import { sayOutweighed } from "../../relay/intake/say-outweighed.ts";
import type { Refusal } from "../../store/journal/refusal.ts";
import type { AppEnv } from "../door/context.ts";

import { noteRefusal } from "../door/note-refusal.ts";
import { isUnderRate } from "../door/rate.ts";
import { routes } from "../route.ts";
import { allRefused, eventAnswer, eventResults, type Verdict } from "./answer.ts";
import { events } from "./contract.ts";
import { type Item, readItems } from "./items.ts";

const RETRY_AFTER_SECONDS = 5;
const RETRY_WHEN_FULL_SECONDS = 60;
const RATE_PERIOD_SECONDS = 60;
/** Headers have no charset: of other bytes two keys might become one. */
const IDEMPOTENCY_KEY = new RegExp(`^[\\x20-\\x7e]{1,${MAX_EVENT_ID_CHARS}}$`);

export const eventRoutes = routes(events, {
  postEvents: async ({ c, relay }) => {
    const idempotencyKey = readIdempotencyKey(c.req.header("idempotency-key"));
    if (!(await isUnderRate(c.env.INGEST_LIMIT, c.var.caller.tokenId, relay.log)))
      throw new HttpFailure({
        kind: "rate_limited",
        detail:
          "This token has sent more requests than it may in a minute. Send more events in each request.",
        retryAfterSeconds: RATE_PERIOD_SECONDS,
      });
    const { single, items } = await readItems(c);
    const verdicts = await keep(relay, items, idempotencyKey);
    const [first] = verdicts;
    const taken = verdicts.filter((verdict) => verdict.ok);
    if (single && first && !first.ok) throw new HttpFailure(first.failure, items[0]?.body);
    const refused = verdicts.flatMap((verdict, index) => (verdict.ok ? [] : [{ ...verdict, index }]));
    for (const [nth, { failure, index }] of refused.entries())
      noteRefusal(c, failure, items[index]?.body, nth);
    if (taken.length > 0 && taken.every((verdict) => verdict.outcome.kind === "duplicate"))
      c.header("idempotent-replayed", "true");
    if (single && first?.ok) return eventAnswer(first);
    if (first && !first.ok && taken.length === 0) return allRefused(first.failure, verdicts, c.var.requestId);
    return {
      success: true as const,
      message: "Events accepted for processing",
      ...eventResults(verdicts),
    };
  },
});

function readIdempotencyKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (IDEMPOTENCY_KEY.test(key)) return key;
  const rule = `must have 1 to ${MAX_EVENT_ID_CHARS} printable ASCII characters`;
  throw new HttpFailure({ kind: "invalid_request", problems: [invalid(["Idempotency-Key"], rule, key)] });
}

async function keep(
  relay: AppEnv["Variables"]["relay"],
  items: Item[],
  idempotencyKey: string | null,
): Promise<Verdict[]> {
  const acceptedAt = relay.now();
  const identified = await Promise.all(
    items.map(async ({ body, checked }, index) =>
      checked.ok
        ? {
            ok: true as const,
            checked,
            event: await identify({ event: checked.event, body, index }, idempotencyKey, acceptedAt),
          }
        : checked,
    ),
  );
  const good = identified.flatMap((item) => (item.ok ? [item.event] : []));
  const ingested = good.length > 0 ? await ingest(relay, good) : { kept: "journal" as const, outcomes: [] };
  if (ingested.kept === "full")
    throw new HttpFailure({
      kind: "unavailable",
      detail:
        "The database is past its high-water mark (RELAY_MAX_DATABASE_MB). Nothing of this request was acknowledged.",
      retryAfterSeconds: RETRY_WHEN_FULL_SECONDS,
    });
  if (ingested.kept === "nowhere")
    throw new HttpFailure({
      kind: "unavailable",
      detail:
        "Neither the database nor the queue takes events. Nothing of this request was acknowledged; send it again.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  const outcomes = ingested.kept === "journal" ? ingested.outcomes.values() : null;
  const outweighed = await sayOutweighed(relay, outcomes ? good : []);
  return identified.map((item): Verdict => {
    if (!item.ok) return { ok: false, failure: { kind: "rejected", rejection: item.rejection } };
    const outcome = outcomes?.next().value ?? { kind: "accepted", eventId: item.event.id };
    if (outcome.kind === "conflict") return { ok: false, failure: conflict(item.event.id) };
    if (outcome.kind === "refused") return { ok: false, failure: refused(outcome) };
    const warnings = [...(item.event.warnings ?? []), ...outweighed(item.event)];
    const event = { ...item.event, ...(warnings.length > 0 ? { warnings } : {}) };
    const { type, unsaid } = item.checked.event;
    return { ok: true, type, event, unsaid, outcome };
  });
}

/** The database's own answer about one item, which another time would be the same. */
function refused({ reason, isTooLarge }: Refusal): Failure {
  const problem = invalid(["event"], `cannot be kept: ${reason}`, null);
  return {
    kind: "rejected",
    rejection: isTooLarge
      ? { status: 413, error: "event_too_large", problems: [problem] }
      : { status: 422, error: "event_construction_failed", problems: [problem] },
  };
}

function conflict(id: string): Failure {
  const problem = invalid(["event_id"], "was used before with another body", id);
  return { kind: "rejected", rejection: { status: 409, error: "event_id_conflict", problems: [problem] } };
}
