import type { Core } from "../domain/fold.ts";
import { isMerged, type Merged, type MergeStatus, type Said, type Sides } from "../domain/merge.ts";
import { runStateOf } from "../domain/run-state.ts";
import type { Facts, TerminalStatus } from "../domain/types.ts";
import type { Run, RunStatus } from "../mlflow/types.ts";
import type { StoredSides } from "../store/agreed.ts";
import type { SentState } from "../store/columns.ts";
import { statusTagOf } from "./status-tag.ts";

/** Between the merge and what it is about: MLflow's run and the stored stream on one side, events on the other. Pure. */

const ENDS: Record<Exclude<MergeStatus, "RUNNING">, TerminalStatus> = {
  FINISHED: "succeeded",
  FAILED: "failed",
  KILLED: "cancelled",
};

/** The three sides of a run: what was agreed on, what the relay holds, and what MLflow shows. */
export function sidesOf({ core, sent, ...stored }: Omit<StoredSides, "stream">, run: Run): Sides {
  const { info, data } = run;
  const shared = <T extends { key: string }>(pairs: readonly T[]) => pairs.filter(({ key }) => isMerged(key));
  const wanted = runStateOf(core);
  return {
    base: {
      name: sent.runName,
      status: statusOf(sent.status),
      tags: new Map(shared(stored.agreedTags).map(({ key, value }) => [key, value])),
    },
    relay: {
      name: wanted.runName === null ? null : { value: wanted.runName, at: core.fields.run_name?.at ?? 0 },
      status: { value: wanted.status, at: statusAt(core) },
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

function statusAt({ lifecycle }: Core): number {
  return Math.max(lifecycle.resumedAt ?? 0, ...Object.values(lifecycle.ends).map(({ at }) => at));
}

/** After everything that either side has said, also where a trainer's clock is ahead: it is to be the latest word. */
export function latestOf({ relay }: Sides, now: number): number {
  const said = [relay.name, relay.status, ...relay.tags.values()];
  return Math.max(now, ...said.map((each) => (each?.at ?? 0) + 1));
}

/** What is accepted, as an event says it; null where nothing is. */
export function factsOf({ accepted }: Merged, now: number): Facts | null {
  const tags = [...accepted.tags].flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  const untags = [...accepted.tags].flatMap(([key, value]) => (value === null ? [key] : []));
  const { name, status, params } = accepted;
  const facts: Facts = {
    ...(name === null ? {} : { fields: { run_name: name } }),
    ...(tags.length === 0 ? {} : { tags: Object.fromEntries(tags) }),
    ...(untags.length === 0 ? {} : { untags }),
    ...(params.size === 0 ? {} : { params: Object.fromEntries(params) }),
    ...(status === null || (status.value !== "RUNNING" && status.from === "RUNNING")
      ? {}
      : { resumes: true }),
    ...(status === null || status.value === "RUNNING"
      ? {}
      : { ends: ENDS[status.value], endedAt: status.endTime ?? now }),
  };
  return Object.keys(facts).length === 0 ? null : facts;
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
export function sentAfter(
  sent: SentState,
  { relay, mlflow }: Sides,
  { accepted }: Merged,
  core: Core,
): SentState {
  const sameName = accepted.name !== null || relay.name?.value === mlflow.name;
  const runName = sameName ? mlflow.name : sent.runName;
  if (accepted.status !== null) {
    const { status, endTime } = runStateOf(core);
    return { ...sent, runName, status, endTime, statusTag: mlflow.statusTag };
  }
  const isMet = relay.status.value === mlflow.status && statusOf(sent.status) !== mlflow.status;
  return isMet ? { ...sent, runName, status: mlflow.status, endTime: mlflow.endTime } : { ...sent, runName };
}
