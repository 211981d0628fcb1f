import type { PlanView } from "../../answers/report.ts";
import type { ExpectedPoint, ExpectedText } from "../../domain/compare.ts";
import { toRecord } from "../../domain/pairs.ts";
import { type PointView, pointView, type Sampled, sampled } from "../../domain/report.ts";
import { readSentState } from "../../store/stream/columns.ts";
import { readCore } from "../../store/stream/core-column.ts";
import type { Deps } from "../deps.ts";
import { compareKeys, type HistoryPlace, type Opened, openRun } from "./read-back.ts";
import { compareRest, foundState, stateDifferences } from "./verify.ts";

/** What is to be sent again. A range is one of points; without one, parameters, tags and status come too. */
export type BackfillScope = {
  fromTime: number | null;
  toTime: number | null;
  fromStep: number | null;
  toStep: number | null;
  onlyMissing: boolean;
};

/** How far a helping came in a stream: the watermark that it began with, and the place. */
export type Resume = { seq: number; position: HistoryPlace };

/** What there is to send of a stream, and from where to go on if that is not all. */
export type Plan = {
  points: Map<string, ExpectedPoint[]>;
  params: ExpectedText[];
  /** With what MLflow has in their place (null: nothing). */
  tags: (ExpectedText & { found: string | null })[];
  /** Where the run's own state differs and delivery will put that right: what it was last told, and what it says. */
  state: { sent: string; found: string; different: NonNullable<ReturnType<typeof stateDifferences>> } | null;
  undelivered: number;
  next: Resume | null;
};

export type BackfillPlan =
  | { kind: "plan"; plan: Plan }
  | { kind: "unreachable"; message: string }
  /** Nothing can be sent again, and why. */
  | { kind: "impossible"; reason: string };

/** So many points a helping: they are held in memory and written in one transaction. */
export const HELPING_POINTS = 20_000;

/** Compares the stream with MLflow and says what would be sent again. Changes nothing. */
export async function planBackfill(
  deps: Deps,
  streamId: number,
  scope: BackfillScope,
  resume: Resume | null,
): Promise<BackfillPlan> {
  const opened = await openRun(deps, streamId, resume?.seq ?? null);
  if (opened.kind === "unreachable") return { kind: "unreachable", message: opened.failure.message };
  if (opened.kind === "no run") return { kind: "impossible", reason: "it has no run in MLflow yet" };
  if (opened.kind === "gone" || opened.run.info.lifecycleStage === "deleted")
    return { kind: "impossible", reason: "its run is deleted in MLflow: restore or recreate it first" };
  if (opened.before.blockedKind !== null)
    return { kind: "impossible", reason: `it is blocked: ${opened.before.blockedReason}` };
  if (opened.expected.stream.prunedAt !== null)
    return { kind: "impossible", reason: "its points were pruned here, once MLflow was seen to have them" };
  const isWhole = [scope.fromTime, scope.toTime, scope.fromStep, scope.toStep].every((end) => end === null);
  const plan: Plan = {
    points: new Map(),
    ...(isWhole && resume === null ? restOf(opened, scope) : { params: [], tags: [], state: null }),
    undelivered: opened.expected.undeliveredEvents,
    next: null,
  };
  let room = HELPING_POINTS;
  for await (const compared of compareKeys(deps, opened, resume?.position ?? null)) {
    if (!compared.ok) return { kind: "unreachable", message: compared.failure.message };
    const { key, missing, due, next } = compared.value;
    const selected = (scope.onlyMissing ? missing : due).filter((point) => isInScope(point, scope));
    const taken = upToRoom(selected, room);
    if (taken.length > 0) plan.points.set(key, [...(plan.points.get(key) ?? []), ...taken]);
    room -= taken.length;
    const last = taken.at(-1);
    if (last && taken.length < selected.length) {
      const after = { step: last.step, timestamp: last.timestamp };
      plan.next = { seq: opened.upto, position: { key, after } };
      break;
    }
    if (room <= 0) {
      plan.next = { seq: opened.upto, position: next };
      break;
    }
  }
  return { kind: "plan", plan };
}

function restOf(opened: Opened, { onlyMissing }: BackfillScope): Pick<Plan, "params" | "tags" | "state"> {
  const { params, tags } = compareRest(opened);
  // A run's start cannot be mended.
  const different = (stateDifferences(opened) ?? []).filter(({ field }) => field !== "start_time");
  const { sentState: sent } = opened.expected.stream;
  const found = new Map(opened.run.data.tags.map(({ key, value }) => [key, value]));
  const toSend = onlyMissing ? [...tags.missing, ...tags.different] : tags.due;
  // Delivery never puts a run back to RUNNING that merely runs.
  const isMendable =
    different.every(({ field, expected }) => field !== "status" || expected !== "RUNNING") ||
    readCore(opened.expected.core).lifecycle.reset !== null;
  return {
    // A parameter cannot be changed, so only those that are not there are sent.
    params: params.missing,
    tags: toSend.map((tag) => ({ ...tag, found: found.get(tag.key) ?? null })),
    state:
      sent !== null && different.length > 0 && isMendable
        ? { sent, found: JSON.stringify({ ...readSentState(sent), ...foundState(opened.run) }), different }
        : null,
  };
}

function isInScope(
  { step, timestamp }: ExpectedPoint,
  { fromTime, toTime, fromStep, toStep }: BackfillScope,
): boolean {
  const between = (value: number, from: number | null, to: number | null) =>
    (from === null || value >= from) && (to === null || value <= to);
  return between(timestamp, fromTime, toTime) && between(step, fromStep, toStep);
}

/** As many points as there is room for, and the rest of the last one's step and time, where a cut cannot be. */
function upToRoom(points: ExpectedPoint[], room: number): ExpectedPoint[] {
  const last = points[room - 1];
  if (!last) return points;
  const end = points.findIndex(
    ({ step, timestamp }, i) => i >= room && (step !== last.step || timestamp !== last.timestamp),
  );
  return end === -1 ? points : points.slice(0, end);
}

/** What a plan holds, for people. */
export function planView({ points, params, tags, state, undelivered }: Plan): PlanView {
  const keys: Record<string, Sampled<PointView>> = {};
  for (const [key, list] of points) keys[key] = sampled(list, pointView);
  return {
    points: [...points.values()].reduce((sum, list) => sum + list.length, 0),
    keys,
    params: toRecord(params),
    tags: toRecord(tags),
    state: state?.different ?? [],
    undelivered_events: undelivered,
  };
}

/** Whether a plan sends anything at all. */
export function isEmptyPlan({ points, params, tags, state }: Plan): boolean {
  return points.size === 0 && params.length === 0 && tags.length === 0 && state === null;
}
