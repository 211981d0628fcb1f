import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../scripts/demo/random.ts";
import type { Lab } from "../lib/lab.ts";
import type { Event, Relay } from "../lib/relay.ts";
import { until } from "../lib/until.ts";
import type { Act, Story } from "./stories.ts";
import { post } from "./trainers.ts";

const PAUSE_MS = 2_500;
const RETRY_MS = 400;
const LIMIT_MS = 180_000;

/**
 * Plays a story's acts one after the other.
 * @returns what the relay refused and should have taken, and the other way round
 */
export async function tell(lab: Lab, experiment: string, story: Story, random: Random): Promise<string[]> {
  const problems: string[] = [];
  for (const act of story.acts) {
    const problem = await play(lab, experiment, story.trialId, act);
    if (problem) problems.push(problem);
    await sleep(PAUSE_MS * random());
  }
  return problems;
}

async function play({ relay, mlflow }: Lab, experiment: string, trialId: string, act: Act) {
  if (act.kind !== "by hand") {
    const taken = await isTaken(relay, act.event);
    return taken === (act.kind === "sends")
      ? null
      : `${taken ? "taken" : "refused"}: ${JSON.stringify(act.event)}`;
  }
  const runId = await runOf(relay, experiment, trialId);
  await until(
    `MLflow takes an edit of ${trialId}`,
    async () => (await act.edit(mlflow.client, runId)).ok,
    () => runId,
    LIMIT_MS,
  );
  return null;
}

/** Sends an event until the relay has said yes or no to it. */
async function isTaken(relay: Relay, event: Event): Promise<boolean> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; await sleep(RETRY_MS)) {
    const status = (await post(relay, JSON.stringify(event), false))?.status ?? 503;
    if (status < 500) return status === 202;
  }
  throw new Error(`nobody took or refused ${JSON.stringify(event)}`);
}

/** The trial's run, as soon as the relay knows it: a second one, made by the network, is not what people edit. */
async function runOf({ store }: Relay, experiment: string, trialId: string): Promise<string> {
  let found: string | null = null;
  await until(
    `there is a run of ${trialId}`,
    () => {
      found = store.runId(experiment, trialId);
      return found !== null;
    },
    () => JSON.stringify(store.behind(experiment), null, 1),
    LIMIT_MS,
  );
  return found ?? "";
}
