import { BLOCKED_KINDS } from "../../domain/blocked.ts";
import {
  CONFLICT_KINDS,
  LETTER_STATES,
  STREAM_KINDS,
  SYNC_STATES,
  TRIAL_STATUSES,
} from "../../domain/words.ts";
import type { Breaker } from "../../store/ops/breakers.ts";
import type { Counts } from "../../store/ops/counters.ts";
import { MAX_COUNTED_BACKLOG, type Readings } from "../../store/ops/metrics.ts";
import { counterFamilies } from "./counter-families.ts";
import type { Family, Sample } from "./prometheus.ts";

export type QueueReading = { name: string; metrics: QueueMetrics };

type Sources = {
  readings: Readings;
  breaker: Breaker | null;
  queues: readonly QueueReading[];
  /** Epoch milliseconds. */
  now: number;
};

/** Everything that /metrics says, family by family. A sample that cannot be known is left out. */
export function familiesOf({ readings, breaker, queues, now }: Sources): Family[] {
  const age = (at: number) => Math.max(0, now - at) / 1000;
  const { backlog, oldestUndeliveredAt, lastPass } = readings;
  const perQueue = (value: (metrics: QueueMetrics) => number) =>
    queues.map(({ name, metrics }) => ({ labels: { queue: name }, value: value(metrics) }));
  return [
    ...counterFamilies(readings.counters),
    gauge(
      "relay_events_backlog",
      `Accepted events that MLflow does not have yet, but for those that were given up; counted up to ${MAX_COUNTED_BACKLOG}.`,
      [{ value: backlog }],
    ),
    gauge(
      "relay_events_oldest_undelivered_age_seconds",
      "Time since the oldest undelivered event was accepted; 0 when there is none.",
      [{ value: oldestUndeliveredAt === null ? 0 : age(oldestUndeliveredAt) }],
    ),
    gauge(
      "relay_streams",
      "Trials and model runs by how far they are on their way to MLflow.",
      STREAM_KINDS.flatMap((kind) =>
        SYNC_STATES.map((state) => ({
          labels: { kind, sync_state: state },
          value: readings.streams.find((row) => row.kind === kind && row.syncState === state)?.count ?? 0,
        })),
      ),
    ),
    gauge(
      "relay_streams_blocked",
      "Trials and model runs that stand still, by what blocks them.",
      counted("blocked_kind", BLOCKED_KINDS, readings.blockedByKind),
    ),
    gauge("relay_trials", "Trials by status.", counted("status", TRIAL_STATUSES, readings.trialsByStatus)),
    gauge(
      "relay_dead_letters",
      "Items that MLflow will never take, by what became of them.",
      counted("state", LETTER_STATES, readings.deadLettersByState),
    ),
    gauge(
      "relay_conflicts",
      "Recorded conflicts by kind, open and resolved.",
      counted("kind", CONFLICT_KINDS, readings.conflictsByKind),
    ),
    gauge(
      "relay_conflicts_open",
      "Conflicts by kind that nobody has resolved yet.",
      counted("kind", CONFLICT_KINDS, readings.openConflictsByKind),
    ),
    gauge(
      "relay_jobs",
      "Jobs that are not over, by state.",
      counted("state", ["queued", "running"], readings.jobsByState),
    ),
    gauge(
      "relay_artifacts_behind",
      "Files that MLflow does not have as they are here, or that are still to be deleted there.",
      counted("state", ["waiting", "blocked"], {
        waiting: readings.artifacts.waiting ?? 0,
        blocked: readings.artifacts.blocked ?? 0,
      }),
    ),
    gauge(
      "relay_logged_models_behind",
      "Logged models of MLflow's clients that MLflow does not have as they are here.",
      [{ value: readings.modelsBehind }],
    ),
    gauge("relay_artifacts_behind_bytes", "The bytes of those files.", [
      { value: readings.artifacts.bytes ?? 0 },
    ]),
    gauge("relay_breaker_state", "The circuit breaker of the MLflow server: 0 closed, 1 open.", [
      { value: breaker?.state === "open" ? 1 : 0 },
    ]),
    gauge(
      "relay_breaker_alarm",
      "1 when the breaker is open because of what looks like a wrong configuration.",
      [{ value: breaker?.alarm ? 1 : 0 }],
    ),
    gauge(
      "relay_cron_last_pass_age_seconds",
      "Time since the cron's last pass ended.",
      lastPass ? [{ value: age(lastPass.finishedAt) }] : [],
    ),
    gauge(
      "relay_cron_last_pass_pokes",
      "Trials and model runs that the cron's last pass found behind and poked.",
      lastPass ? [{ value: lastPass.pokes }] : [],
    ),
    gauge(
      "relay_queue_backlog_messages",
      "Messages in a queue.",
      perQueue((metrics) => metrics.backlogCount),
    ),
    gauge(
      "relay_queue_backlog_bytes",
      "Bytes of the messages in a queue.",
      perQueue((metrics) => metrics.backlogBytes),
    ),
    gauge(
      "relay_queue_oldest_message_age_seconds",
      "Time since a queue's oldest message was sent; 0 when it is empty.",
      perQueue(({ backlogCount, oldestMessageTimestamp }) =>
        backlogCount > 0 && oldestMessageTimestamp ? age(oldestMessageTimestamp.getTime()) : 0,
      ),
    ),
    gauge("relay_database_size_bytes", "Size of the D1 database.", [{ value: readings.databaseBytes }]),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

/** A sample for each known word, so that a series does not come and go, and for any other that was found. */
function counted(label: string, known: readonly string[], counts: Counts): Sample[] {
  const words = new Set([...known, ...Object.keys(counts)]);
  return [...words].map((word) => ({ labels: { [label]: word }, value: counts[word] ?? 0 }));
}
