import type { TrialFacts } from "../../../store/views/trial.ts";
import { MANY_WAITING, type TrialWay as Way } from "../../../store/views/trial-way.ts";
import { Time } from "../../parts/time.tsx";

/** `its`: the parameters by which lists have this trial alone. */
type Props = { trial: TrialFacts; way: Way; its: string; mayAct: boolean };

/** How far a trial is on its way to MLflow, and what to do where it does not go on. */
export function TrialWay({ trial, way, its, mayAct }: Props) {
  const { verified } = trial;
  const isConfirmed = verified?.verdict === "confirmed" && verified.up_to_date;
  return (
    <section class="panel" aria-labelledby="way-title">
      <h2 id="way-title">On its way to MLflow</h2>
      <ol class="way">
        <Stage name="Accepted" is>
          kept here
        </Stage>
        <Stage name="Folded" is={way.isFolded}>
          {way.isFolded ? "lists and searches know it all" : "lists and searches follow in a moment"}
        </Stage>
        <Stage name="Delivered" is={way.isDelivered}>
          {way.isDelivered ? (
            <>
              MLflow has all of it <Time at={trial.delivered_at} />
            </>
          ) : (
            `${way.waiting > MANY_WAITING ? `more than ${MANY_WAITING}` : way.waiting} events to go`
          )}
        </Stage>
        <Stage name="Confirmed" is={isConfirmed}>
          {verified === null ? (
            "not read back yet"
          ) : (
            <>
              {verified.verdict === "confirmed" ? "read back from MLflow" : "MLflow differs"}
              {!verified.up_to_date && ", but more came since"} <Time at={verified.checked_at} />
            </>
          )}
        </Stage>
      </ol>
      <Trouble trial={trial} way={way} its={its} />
      {mayAct && trial.mlflow_run_id !== null && (
        <p>
          <button type="button" data-verify={trial.id}>
            Read back from MLflow
          </button>
        </p>
      )}
    </section>
  );
}

function Stage({ name, is, children }: { name: string; is: boolean; children?: unknown }) {
  return (
    <li class={is ? "reached" : "open"}>
      <strong>
        {is ? "✓ " : "· "}
        {name}
      </strong>
      <small>{children}</small>
    </li>
  );
}

/** What stands in its way, and whose turn it is. */
function Trouble({ trial, way, its }: Omit<Props, "mayAct">) {
  const advice = adviceOn(trial, way);
  if (advice === null && trial.last_error === null && way.deadLetters === 0) return null;
  return (
    <div class="trouble">
      {advice !== null && (
        <p>
          <strong>{advice.what}</strong> {advice.todo}
          {advice.next !== null && (
            <>
              {" "}
              Next attempt: <Time at={advice.next} />
            </>
          )}
        </p>
      )}
      {trial.last_error !== null && !way.isDelivered && (
        <p class="dim">
          MLflow said last: <span class="mono">{trial.last_error}</span>
          {way.attempts > 1 && ` (${way.attempts} attempts)`}
        </p>
      )}
      {way.deadLetters > 0 && (
        <p>
          <a href={`/delivery/dead-letters?${its}`}>
            {way.deadLetters === 1 ? "One item" : `${way.deadLetters} items`} that MLflow refused for good
          </a>
        </p>
      )}
    </div>
  );
}

function adviceOn(
  { sync_state: state, waiting_for: waiting, blocked_reason: reason }: TrialFacts,
  { blockedKind, nextAttemptAt }: Way,
): { what: string; todo: string; next: string | null } | null {
  if (state === "blocked")
    return { what: reason ?? "It stands still.", todo: TODO[blockedKind ?? ""] ?? "", next: null };
  if (state !== "waiting" || waiting === null) return null;
  return {
    what: WAITS[waiting] ?? `It waits for ${waiting}.`,
    todo: "Nothing has to be done.",
    next: nextAttemptAt > 0 ? new Date(nextAttemptAt).toISOString() : null,
  };
}

const WAITS: Readonly<Record<string, string>> = {
  grace: "It waits a moment for its model run to be announced, which says into which experiment it belongs.",
  parent: "It waits for its model run's own run in MLflow.",
  retry: "MLflow did not take it; it is tried again.",
  breaker: "MLflow is away; everything waits until it is back.",
};

const TODO: Readonly<Record<string, string>> = {
  gone_experiment:
    "Restore the experiment in MLflow, or unblock the trial under Delivery: restore, recreate or forget.",
  gone_run: "Restore the run in MLflow, or unblock the trial under Delivery: restore, recreate or forget.",
  misconfigured:
    "Look at the address and the credentials of MLflow in the relay's settings; it goes on by itself then.",
  forgotten: "An operator gave it up; it can be unblocked under Delivery.",
  unreadable: "A newer version of the relay may read it; the log has the details.",
  invalid: "It is tried again now and then; what MLflow refuses stands above.",
  conflict: "It is tried again now and then; what it collides with stands above.",
  exists: "It is tried again now and then; what is there already stands above.",
  missing: "It is tried again now and then; what MLflow lacks stands above.",
};
