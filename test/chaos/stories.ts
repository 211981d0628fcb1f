import type { MlflowClient } from "../../src/mlflow/client.ts";
import type { Snapshot } from "../lib/mlflow-read.ts";
import { AT, MINUTE_MS, trialOf } from "../lib/one-trial.ts";
import type { Event } from "../lib/relay.ts";

/**
 * A trial whose meaning is in the order of what happens: each act follows when the one before was acknowledged. Some
 * are edited in MLflow at the same time, by hand.
 */
export type Story = {
  trialId: string;
  acts: Act[];
  /** What the run must be like at the end, tags at least these. */
  ends: Partial<Pick<Snapshot, "status" | "name" | "startTime" | "endTime">>;
  tags: Record<string, string>;
  /** Of all its points. */
  values: string[];
  /** Edited by hand in vain, which must have left a trace: a conflict, or an event of the relay's own. */
  edited: boolean;
};

export type Act =
  | { kind: "sends" | "is refused"; event: Event }
  | { kind: "by hand"; edit: (mlflow: MlflowClient, runId: string) => Promise<{ ok: boolean }> };

const sends = (event: Event): Act => ({ kind: "sends", event });
const isRefused = (event: Event): Act => ({ kind: "is refused", event });
const byHand = (edit: Extract<Act, { kind: "by hand" }>["edit"]): Act => ({ kind: "by hand", edit });

/** As `trialOf` times them. */
const STARTS = { startTime: AT + MINUTE_MS };
const COMPLETES = { status: "FINISHED", endTime: AT + 90 * MINUTE_MS };
const FAILURE_MINUTE = 30;

/** The stories of a round. */
export function makeStories(modelRunId: string): Story[] {
  const story = (
    trialId: string,
    ends: Story["ends"],
    act: (trial: ReturnType<typeof trialOf>) => Act[],
    { tags = {}, values = [], edited = false }: Partial<Story> = {},
  ): Story => ({ trialId, ends, acts: act(trialOf(modelRunId, trialId)), tags, values, edited });

  const fails = (trial_id: string, fields: object = {}): Act =>
    sends({ event: "ml.trial.failed", model_run_id: modelRunId, trial_id, error_message: "lost", ...fields });
  const failsAt = (trialId: string) => fails(trialId, { occurred_at: AT + FAILURE_MINUTE * MINUTE_MS });
  // Neither has an id or a time: what it says is all that it is known by.
  const failsBarely = (trialId: string) => fails(trialId, { step: 5, metrics: { loss: 7 } });
  const resumesBarely = (trial_id: string): Act =>
    sends({
      event: "ml.trial.start",
      model_run_id: modelRunId,
      trial_id,
      spectral_norm: false,
      resume: true,
    });

  return [
    story(
      "fails again",
      { ...STARTS, status: "FAILED" },
      (t) => [
        sends(t.start()),
        failsBarely("fails again"),
        resumesBarely("fails again"),
        failsBarely("fails again"),
      ],
      { values: ["7"] },
    ),
    story(
      "goes on again",
      // MLflow keeps the time of an end that was taken back.
      { ...STARTS, status: "RUNNING" },
      (t) => [
        sends(t.start()),
        failsBarely("goes on again"),
        resumesBarely("goes on again"),
        failsBarely("goes on again"),
        resumesBarely("goes on again"),
      ],
      { values: ["7"] },
    ),
    story("comes through", { ...STARTS, ...COMPLETES }, (t) => [
      sends(t.start()),
      failsAt("comes through"),
      // From a machine whose clock is behind that of the one that failed.
      sends({ ...t.start({ resume: true }), occurred_at: AT + (FAILURE_MINUTE - 2) * MINUTE_MS }),
      sends(t.complete()),
    ]),
    story(
      "ended by hand",
      { ...STARTS, status: "FAILED", endTime: AT + FAILURE_MINUTE * MINUTE_MS },
      (t) => [
        sends(t.start()),
        byHand((mlflow, runId) => mlflow.updateRun({ runId, status: "FINISHED", endTime: Date.now() })),
        failsAt("ended by hand"),
      ],
      { edited: true },
    ),
    story(
      "tagged by hand",
      { ...STARTS, ...COMPLETES },
      (t) => [
        sends(t.start({ metadata: { host: "a" } })),
        byHand((mlflow, runId) => mlflow.setTag({ runId, key: "metadata.host", value: "b" })),
        byHand((mlflow, runId) => mlflow.setTag({ runId, key: "by hand", value: "stays" })),
        sends(t.complete({ metadata: { host: "c" } })),
      ],
      { tags: { "metadata.host": "c", "by hand": "stays" }, edited: true },
    ),
    story("named by hand", { ...STARTS, ...COMPLETES, name: "a better name" }, (t) => [
      sends(t.start()),
      byHand((mlflow, runId) => mlflow.updateRun({ runId, runName: "a better name" })),
      sends(t.complete()),
    ]),
    story(
      "said twice",
      { ...STARTS, ...COMPLETES },
      (t) => {
        // Known by their ids, with no time of their own: what is sent again is nothing new, however late.
        const says = (value: number) => {
          const { occurred_at: _, ...metric } = t.metric(0, value);
          return sends({ ...metric, event_id: `says ${value}` });
        };
        return [sends(t.start()), says(3), says(4), says(3), says(4), sends(t.complete())];
      },
      { values: ["3", "4"] },
    ),
    story(
      "of bad clocks",
      { ...STARTS, ...COMPLETES },
      (t) => [
        isRefused({ ...t.metric(0, 1), occurred_at: 0 }),
        isRefused({ ...t.metric(0, 2), occurred_at: Math.floor(AT / 1000) }),
        sends(t.start()),
        isRefused({ ...t.metric(0, 3), occurred_at: "2099-01-01T00:00:00Z" }),
        sends(t.metric(0, 4)),
        sends(t.complete()),
      ],
      { values: ["4"] },
    ),
  ];
}

/** What of a story's end is otherwise in MLflow. */
export function wrongEnd({ trialId, ends, tags, values }: Story, run: Snapshot): string[] {
  const found: Record<string, unknown> = { ...run };
  const all = [
    ...Object.entries(ends).map(([field, value]) => [field, value, found[field]]),
    ...Object.entries(tags).map(([key, value]) => [`tag ${key}`, value, run.tags[key]]),
    ["values", values.join(), run.points.map((point) => point.split(" = ").at(-1)).join()],
  ];
  return all.flatMap(([what, expected, is]) =>
    expected === is ? [] : [`${trialId}: ${what} is ${is}, not ${expected}`],
  );
}
