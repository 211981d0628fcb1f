import type { Core } from "../../domain/core.ts";
import {
  DESCRIPTION_TAG,
  isMerged,
  type Merged,
  type MergePolicies,
  type MergePolicy,
  type MergeStatus,
  type Said,
  type Sides,
} from "../../domain/merge.ts";
import { MLFLOW_STATUS, TRIAL_STATUS } from "../../domain/run-register.ts";
import { mayReopen, runStateOf } from "../../domain/run-state.ts";
import { statusSaidAt, statusOf as trialStatusOf } from "../../domain/status.ts";
import type { Facts } from "../../domain/types.ts";
import { RUN_NAME_TAG, statusTagOf } from "../../mlflow/tags.ts";
import type { Run, RunStatus } from "../../mlflow/types.ts";
import type { StoredSides } from "../../store/delivery/agreed.ts";
import type { SentState } from "../../store/stream/columns.ts";

/** Between the merge and what it is about: MLflow's run and the stored stream on one side, events on the other. Pure. */

/** The three sides of a run: what was agreed on, what the relay holds, and what MLflow shows. */
export function sidesOf({ core, sent, ...stored }: Omit<StoredSides, "stream">, run: Run): Sides {
  const { info, data } = run;
  const shared = <T extends { key: string }>(pairs: readonly T[]) => pairs.filter(({ key }) => isMerged(key));
  const wanted = runStateOf(core);
  const base = statusOf(sent.status);
  // A trial that merely runs says nothing of the end that its run already has.
  const saysNothing = wanted.status === "RUNNING" && !mayReopen(core);
  return {
    base: {
      name: sent.runName,
      status: base,
      endTime: sent.endTime,
      tags: new Map(shared(stored.agreedTags).map(({ key, value }) => [key, value])),
      params: new Map(stored.agreedParams.map(({ key, value }) => [key, value])),
    },
    relay: {
      name: wanted.runName === null ? null : { value: wanted.runName, at: core.fields.run_name?.at ?? 0 },
      status: { value: saysNothing ? base : statusOf(wanted.status), at: statusSaidAt(core.lifecycle) },
      endTime: saysNothing ? null : wanted.endTime,
      tags: new Map(
        shared(stored.tags).map(({ key, value, at }): [string, Said<string | null>] => [key, { value, at }]),
      ),
      params: new Map(stored.params.map(({ key, value }) => [key, value])),
    },
    mlflow: {
      name: info.runName ?? sent.runName,
      status: statusOf(info.status),
      endTime: info.endTime,
      statusTag: statusTagOf(run),
      tags: new Map(shared(data.tags).map(({ key, value }) => [key, value])),
      params: new Map(data.params.map(({ key, value }) => [key, value])),
    },
  };
}

/** A scheduled run has not ended: the original knows no more of it either. */
function statusOf(status: RunStatus): MergeStatus {
  return status === "SCHEDULED" ? "RUNNING" : status;
}

/** What is taken from MLflow, as an event says it. `occurredAt`: when it counts as said, in epoch milliseconds. */
export type Taken = { facts: Facts; occurredAt: number };

/** A row of the database holds 2 MB: so many tags or parameters fit, however long. */
const MAX_TEXTS_AN_EVENT = 50;

/**
 * What is accepted, as events say it; none where nothing is. A name or a tag counts as said just after what it
 * outweighs, each for itself, so that the trainer's next word on it, by whatever clock, is later. Where MLflow's side
 * may win, not before it was seen either. A status needs no such time: what it outweighs is told by what the relay
 * knew of.
 * @param over the last event that the relay's side held: the trainer's later word on the status stands
 */
export function takenOf(
  { relay }: Sides,
  { accepted: { name, status, tags, params } }: Merged,
  policies: MergePolicies,
  { core, over, seenAt }: { core: Core; over: number; seenAt: number },
): Taken[] {
  const began = core.startedAt ?? seenAt;
  const after = (policy: MergePolicy, said: Said<unknown> | null | undefined) =>
    Math.max(policy === "relay" ? began : seenAt, (said?.at ?? 0) + 1);
  const byTime = Map.groupBy(tags, ([key]) =>
    after(policies[key === DESCRIPTION_TAG ? "description" : "tag"], relay.tags.get(key)),
  );
  return [
    ...(name === null
      ? []
      : [{ facts: nameFacts(name, core), occurredAt: after(policies.name, relay.name) }]),
    ...(status === null
      ? []
      : [{ facts: { over, ...statusFacts(status, core, seenAt) }, occurredAt: began }]),
    ...[...byTime].flatMap(([occurredAt, changed]) =>
      tagFacts(changed).map((facts) => ({ facts, occurredAt })),
    ),
    ...inPieces([...params]).map((piece) => ({ facts: { params: piece }, occurredAt: began })),
  ];
}

/** A client of MLflow sees its run's name as a tag too. */
function nameFacts(name: string, { run }: Core): Facts {
  return { fields: { run_name: name }, ...(run === null ? {} : { tags: { [RUN_NAME_TAG]: name } }) };
}

function tagFacts(changed: readonly (readonly [string, string | null])[]): Facts[] {
  const tags = changed.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  const untags = changed.flatMap(([key, value]) => (value === null ? [key] : []));
  return [
    ...(untags.length === 0 ? [] : [{ untags }]),
    ...inPieces(tags).map((piece): Facts => ({ tags: piece })),
  ];
}

/** Where only the end was moved, the trial's own status stays, for which MLflow's may have no word. */
function statusFacts(
  { value, endTime }: NonNullable<Merged["accepted"]["status"]>,
  { lifecycle }: Core,
  seenAt: number,
): Facts {
  if (value === "RUNNING") return { resumes: true };
  const own = trialStatusOf(lifecycle);
  const isOwn = own !== "running" && MLFLOW_STATUS[own] === value;
  return { ends: isOwn ? own : TRIAL_STATUS[value], endedAt: endTime ?? seenAt };
}

function inPieces(entries: readonly (readonly [string, string])[]): Record<string, string>[] {
  const count = Math.ceil(entries.length / MAX_TEXTS_AN_EVENT);
  return Array.from({ length: count }, (_, n) =>
    Object.fromEntries(entries.slice(n * MAX_TEXTS_AN_EVENT, (n + 1) * MAX_TEXTS_AN_EVENT)),
  );
}

/** The tags that both sides now have alike, and those that neither has any more; only where that is news. */
export function agreedTags({ base, relay, mlflow }: Sides, { accepted }: Merged): Map<string, string | null> {
  const news = new Map<string, string | null>();
  for (const key of new Set([...base.tags.keys(), ...mlflow.tags.keys()])) {
    const was = base.tags.get(key) ?? null;
    const there = mlflow.tags.get(key) ?? null;
    const here = relay.tags.get(key)?.value ?? null;
    if (there !== was && (accepted.tags.has(key) || here === there)) news.set(key, there);
  }
  return news;
}

/** The state that both now agree on, so that delivery sends only what differs from it. */
export function sentAfter(sent: SentState, { relay, mlflow }: Sides, { accepted }: Merged): SentState {
  const sameName = accepted.name !== null || relay.name?.value === mlflow.name;
  const runName = sameName ? mlflow.name : sent.runName;
  const { status, statusTag } = mlflow;
  // MLflow keeps an end when a run goes on.
  const endTime = status === "RUNNING" ? null : mlflow.endTime;
  if (accepted.status !== null) return { ...sent, runName, status, endTime, statusTag };
  const isMet = relay.status.value === status && statusOf(sent.status) !== status;
  return isMet ? { ...sent, runName, status, endTime } : { ...sent, runName };
}
