import { type CountedRelay, countedRelay } from "./counted.ts";
import { countIdlePass } from "./passes.ts";
import { pastStatements } from "./past.ts";
import { type BenchRelay, benchRelay } from "./relay.ts";
import { countRequests, type Latency, timeRequests } from "./requests.ts";
import { databaseBytes } from "./room.ts";
import { type Study, study } from "./study.ts";
import { countTurns, type Figure } from "./turns.ts";

/** The figures with so much behind: points that MLflow has, and trials that are over. */
export type Stage = {
  points: number;
  finishedTrials: number;
  databaseMb: number;
  requests: Figure[];
  turns: Figure[];
  pass: Figure;
  latencies: Latency[];
};

const POINTS = 1_000_000;
const FINISHED_TRIALS = 200_000;
const SHARES = [0, 0.1, 1];
const POINTS_A_TRIAL = 50_000;
const KEYS = 10;
const EVENTS_A_REQUEST = 1_000;
const DAY_MS = 86_400_000;
/** The ids of a stage's finished trials begin here, far from those that the database gives. */
const IDS_A_STAGE = 10_000_000;
const STUDY = "scale";

/**
 * The same figures and the answers' times at 0, a tenth and all of a million points and 200,000 finished trials.
 *
 * The points come in by the door, with MLflow switched off, are folded by the consumer, and then marked as delivered;
 * the finished trials are written by SQL. What is measured at each stage is delivered to the real MLflow.
 */
export async function measureScale(
  stateDir: string,
  mlflowUri: string,
  say: (line: string) => void,
): Promise<Stage[]> {
  const vars = { MLFLOW_TRACKING_URI: mlflowUri, MLFLOW_DEFAULT_EXPERIMENT: STUDY };
  const stages: Stage[] = [];
  let before = 0;
  for (const [n, share] of SHARES.entries()) {
    const points = POINTS * share;
    const finishedTrials = FINISHED_TRIALS * share;
    if (share > 0) {
      say(`scale: journalling up to ${points} points`);
      const off = await benchRelay(stateDir, { ...vars, MLFLOW_ENABLED: "false" });
      await journal(off, POINTS * before, points);
      await off.stop();
    }
    say(`scale: ${points} points, ${finishedTrials} finished trials`);
    const relay = await countedRelay(stateDir, vars);
    if (share > 0)
      await relay.run([
        MARK_DELIVERED,
        ...pastStatements({
          study: `past-${n}`,
          trials: finishedTrials - FINISHED_TRIALS * before,
          at: Date.now() - DAY_MS,
          after: IDS_A_STAGE * n,
        }),
      ]);
    stages.push({ points, finishedTrials, ...(await measure(relay, study(`stage-${n}`))) });
    await relay.stop();
    before = share;
  }
  return stages;
}

/** Takes the journalled points for delivered; there is no run in MLflow, and nobody asks for one. */
const MARK_DELIVERED = `update streams set planned_seq = last_seq, delivered_seq = last_seq,
  delivered_at = updated_at where delivered_seq < last_seq and model_run_id = '${STUDY}'`;

async function journal(relay: BenchRelay, from: number, to: number): Promise<void> {
  const source = study(STUDY);
  if (from === 0) await relay.post(source.announcement);
  const pointsARequest = EVENTS_A_REQUEST * KEYS;
  for (let point = from; point < to; point += pointsARequest) {
    const trial = `t${Math.floor(point / POINTS_A_TRIAL)}`;
    const first = (point % POINTS_A_TRIAL) / KEYS;
    if (first === 0) await relay.post(source.start(trial));
    await relay.post(source.steps(trial, first, EVENTS_A_REQUEST, KEYS));
  }
  await relay.settled();
}

async function measure(relay: CountedRelay, own: Study) {
  const idle = await countIdlePass(relay);
  const { turns } = await countTurns(relay, own);
  const requests = await countRequests(relay, own);
  await relay.still();
  const latencies = await timeRequests(relay, own);
  const databaseMb = (await databaseBytes(relay)) / 1e6;
  return { databaseMb, turns, requests, pass: { what: "idle", cost: idle }, latencies };
}
