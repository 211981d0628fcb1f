import type { LedgerEntry } from "../../../answers/ledger.ts";
import { LEDGER_STATES, type LedgerState } from "../../../domain/words.ts";
import { Badge } from "../../parts/badge.tsx";
import { withQuery } from "../../parts/query.ts";
import { Pager } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";

type Props = {
  events: readonly LedgerEntry[];
  next: string | null;
  url: URL;
  state: LedgerState | undefined;
};

/** What became of each event, in the order of acceptance. */
export function TrialLedger({ events, next, url, state }: Props) {
  return (
    <section class="panel" aria-labelledby="ledger-title" id="ledger">
      <h2 id="ledger-title">Ledger</h2>
      <nav class="choices" aria-label="Which events">
        {[undefined, ...LEDGER_STATES].map((one) => (
          <a
            href={`${withQuery(url, { ledger: one ?? null, cursor: null })}#ledger`}
            aria-current={one === state ? "true" : undefined}
          >
            {one ?? "all"}
          </a>
        ))}
      </nav>
      {events.length === 0 ? (
        <p class="hint">No events.</p>
      ) : (
        <section class="scroll" tabindex={0} aria-label="Events">
          <table class="list">
            <thead>
              <tr>
                {["Event", "State", "Occurred", "Accepted", "Delivered", "Confirmed"].map((name) => (
                  <th scope="col">{name}</th>
                ))}
                <th scope="col" class="number">
                  Points
                </th>
              </tr>
            </thead>
            <tbody>
              {events.map((event) => (
                <Row event={event} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      <Pager url={url} next={next} />
    </section>
  );
}

function Row({ event }: { event: LedgerEntry }) {
  const notes = [
    ...event.warnings.map(({ field, rule, action }) => `${field} ${rule} (${action.replace("_", " ")})`),
    ...event.conflicts.map(({ field, kept }) => `${field} stays ${kept ?? "as it was"}`),
    ...event.dead_letters.map(({ reason }) => `refused by MLflow: ${reason ?? "no reason given"}`),
    ...(event.repeats > 0 ? [`sent ${event.repeats + 1} times`] : []),
  ];
  return (
    <tr>
      <th scope="row">
        {event.type}
        <small class="mono">{event.event_id}</small>
        {notes.map((note) => (
          <small class="note">{note}</small>
        ))}
      </th>
      <td>
        <Badge word={event.state} />
      </td>
      {[event.occurred_at, event.accepted_at, event.delivered_by, event.confirmed_at].map((at) => (
        <td>
          <Time at={at} />
        </td>
      ))}
      <td class="number">{event.points}</td>
    </tr>
  );
}
