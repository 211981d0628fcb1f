import { isNewsTo } from "../../domain/run-state.ts";
import { type Items, packBatches } from "../../mlflow/plan.ts";
import type { Batch } from "../../store/delivery/batches.ts";
import type { Unfolded } from "../../store/journal/unfolded.ts";
import type { Foreseen } from "../../store/stream/claims.ts";
import { readSentState } from "../../store/stream/columns.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import { isForRow } from "../../store/stream/row-batch.ts";
import type { Deps } from "../deps.ts";
import type { Ahead } from "../stream/claim-folded.ts";
import { slotFor } from "../stream/confirm.ts";
import { HeldStream } from "../stream/held-stream.ts";
import type { Lent, Seats } from "../stream/seats.ts";
import { whyIdle } from "./idle.ts";

/** A batch that is all a stream has to do, the tag that is to hold its token, and what is noted of it with the claim. */
export type FirstBatch = {
  batch: Batch;
  slot: string;
  runId: string;
  upto: number;
  foreseen: Foreseen;
  /** Whose place it is noted to be sent by; null: nobody's of this invocation. */
  lent: Lent | null;
};

/**
 * The one batch of a stream that has a run, of which everything before is in MLflow, and to which nothing came since but a
 * few points: by far the most turns are such. It is noted with the claim, so that the call can follow at once. Null: the
 * turn has to find out under its lease.
 */
export async function foresee(deps: Deps, ahead: Ahead, seats: Seats): Promise<FirstBatch | null> {
  const { stream, helping } = ahead;
  const runId = stream?.mlflowRunId ?? null;
  if (!stream || !helping || runId === null) return null;
  if (!isAtRest(deps, stream, ahead) || !isPointsOnly(helping)) return null;
  const sent = readSentState(stream.sentState);
  if (sent === null || ahead.known === null || isNewsTo(sent, ahead.known.core)) return null;
  const [items, ...others] = packBatches({ metrics: pointsOf(helping), params: [], tags: [] });
  const json = JSON.stringify(items);
  if (items === undefined || others.length > 0 || !isForRow(items, json)) return null;
  const batch = { token: crypto.randomUUID(), items, attempts: 0 };
  await deps.guard.pace();
  const held = new HeldStream(deps, stream);
  const slot = slotFor(held, batch.token);
  if (slot === null) return null;
  held.begin({ call: "runs/log-batch", token: batch.token });
  const values = {
    ...held.fence,
    plannedSeq: helping.upto,
    sendingToken: batch.token,
    sendingItems: json,
  };
  const lent = seats.soleChance();
  const foreseen = { from: stream, values, places: { most: seats.most, from: lent?.lease ?? null } };
  return { batch, slot, runId, upto: helping.upto, foreseen, lent };
}

/** Whether nothing is left of what came before, and nothing hinders. */
function isAtRest(deps: Deps, stream: StreamRow, { breaker }: Ahead): boolean {
  const { kind, foldedSeq, plannedSeq, deliveredSeq, attempts, waitingFor, blockedKind } = stream;
  const isDelivered = plannedSeq === foldedSeq && deliveredSeq === foldedSeq;
  const isSure = stream.doubt === null && stream.sendingToken === null;
  const isWell = attempts === 0 && waitingFor === null && blockedKind === null;
  const isReached = breaker === null || (breaker.state === "closed" && breaker.failures === 0);
  const isDue = whyIdle(deps, stream, false) === null;
  return kind === "trial" && isDelivered && isSure && isWell && isReached && isDue;
}

/** Whether all that came is points. An event without facts and points speaks of what stands elsewhere. */
function isPointsOnly({ events, points, more }: Unfolded): boolean {
  const withPoints = new Set(points.map(({ seq }) => seq));
  return !more && events.every(({ seq, facts }) => facts === null && withPoints.has(seq));
}

function pointsOf({ points }: Unfolded): Items["metrics"] {
  return points.map(({ key, value, timestamp, step }) => ({ key, value, timestamp, step }));
}
