import { sameMeaning } from "./values.ts";

/**
 * The three-way merge of a run, field by field, against what both sides last agreed on. Pure; the order of keys does
 * not matter, and a merge of what a merge left changes nothing.
 */

export const MERGE_POLICIES = ["relay", "mlflow", "newest"] as const;
export type MergePolicy = (typeof MERGE_POLICIES)[number];
/** Whose value stands where both sides changed a field, by group of fields. */
export type MergePolicies = Record<"name" | "status" | "tag" | "description", MergePolicy>;

export type EndedStatus = "FINISHED" | "FAILED" | "KILLED";
export type MergeStatus = "RUNNING" | EndedStatus;

/** MLflow's tag of a run's description. */
export const DESCRIPTION_TAG = "mlflow.note.content";

/** A field as the relay has it, and when that was said, in epoch milliseconds. */
export type Said<T> = { value: T; at: number };

/**
 * A run as the three sides have it. Tags are those that both may write (`isMerged`). The base's parameters are those that
 * were taken from MLflow. Ends are epoch milliseconds.
 */
export type Sides = {
  base: {
    name: string;
    status: MergeStatus;
    endTime: number | null;
    tags: ReadonlyMap<string, string>;
    params: ReadonlyMap<string, string>;
  };
  /** `name` is null where the trainer gave none; a tag's null: it was taken away. `endTime` is null where it says no end. */
  relay: {
    name: Said<string> | null;
    status: Said<MergeStatus>;
    endTime: number | null;
    tags: ReadonlyMap<string, Said<string | null>>;
    params: ReadonlyMap<string, string>;
  };
  mlflow: {
    name: string;
    status: MergeStatus;
    endTime: number | null;
    /** The trial's own status, where MLflow's has several meanings. */
    statusTag: string | null;
    tags: ReadonlyMap<string, string>;
    params: ReadonlyMap<string, string>;
  };
};

export type MergeConflict = {
  kind: "name" | "status" | "tag" | "description" | "param";
  field: string;
  base: string | null;
  relay: string | null;
  mlflow: string | null;
  decision: "relay" | "mlflow";
};

export type Merged = {
  /** What the relay takes from MLflow; null or empty where nothing. A tag's null: it is taken away. */
  accepted: {
    name: string | null;
    status: { value: MergeStatus; endTime: number | null } | null;
    tags: Map<string, string | null>;
    params: Map<string, string>;
  };
  conflicts: MergeConflict[];
};

/** Whether both sides may write a tag: not what MLflow or the relay keep for themselves. */
export function isMerged(key: string): boolean {
  if (key === DESCRIPTION_TAG) return true;
  return !["relay.", "mlflow.", "thunderline_"].some((prefix) => key.startsWith(prefix));
}

/** @param seenAt when this poll saw MLflow's side, in epoch milliseconds: MLflow keeps no time of its own */
export function merge({ base, relay, mlflow }: Sides, policies: MergePolicies, seenAt: number): Merged {
  const merged: Merged = {
    accepted: { name: null, status: null, tags: new Map(), params: new Map() },
    conflicts: [],
  };
  const takesTheirs = (
    kind: keyof MergePolicies,
    field: string,
    was: string | null,
    here: Said<string | null>,
    there: string | null,
  ): boolean => {
    if (there === was || there === here.value) return false;
    if (here.value === was) return true;
    const decision = decide(policies[kind], here.at, seenAt);
    merged.conflicts.push({ kind, field, base: was, relay: here.value, mlflow: there, decision });
    return decision === "mlflow";
  };

  const name = relay.name ?? { value: base.name, at: 0 };
  if (takesTheirs("name", "run_name", base.name, name, mlflow.name)) merged.accepted.name = mlflow.name;
  const takesEnd = () => {
    if (!isEndMoved({ base, relay, mlflow })) return false;
    if (relay.endTime === base.endTime) return true;
    const { value: status, at } = relay.status;
    const decision = decide(policies.status, at, seenAt);
    const both = { base: status, relay: status, mlflow: status };
    merged.conflicts.push({ kind: "status", field: "status", ...both, decision });
    return decision === "mlflow";
  };
  if (takesTheirs("status", "status", base.status, relay.status, mlflow.status) || takesEnd())
    merged.accepted.status = { value: mlflow.status, endTime: mlflow.endTime };
  for (const key of new Set([...base.tags.keys(), ...relay.tags.keys(), ...mlflow.tags.keys()])) {
    const was = base.tags.get(key) ?? null;
    const there = mlflow.tags.get(key) ?? null;
    const kind = key === DESCRIPTION_TAG ? "description" : "tag";
    if (takesTheirs(kind, key, was, relay.tags.get(key) ?? { value: was, at: 0 }, there))
      merged.accepted.tags.set(key, there);
  }
  for (const [key, there] of mlflow.params) {
    const here = relay.params.get(key);
    if (here === undefined) {
      // What was taken before is in the journal, though the record had no room for it.
      if (!base.params.has(key)) merged.accepted.params.set(key, there);
    }
    // A parameter of a run cannot be changed by anybody.
    else if (!sameMeaning(here, there))
      merged.conflicts.push({
        kind: "param",
        field: key,
        base: null,
        relay: here,
        mlflow: there,
        decision: "mlflow",
      });
  }
  return merged;
}

/** Whether a run that has ended for both sides alike has another end in MLflow than was agreed on, and than it has here. */
function isEndMoved({ base, relay, mlflow }: Pick<Sides, "base" | "relay" | "mlflow">): boolean {
  const { status, endTime } = mlflow;
  if (status === "RUNNING" || base.status !== status || relay.status.value !== status) return false;
  const isSaid = endTime !== null && relay.endTime !== null;
  return isSaid && endTime !== base.endTime && endTime !== relay.endTime;
}

function decide(policy: MergePolicy, relayAt: number, seenAt: number): "relay" | "mlflow" {
  if (policy === "newest") return relayAt > seenAt ? "relay" : "mlflow";
  return policy;
}

/** Whether the relay takes anything from MLflow. */
export function takesAnything({ accepted: { name, status, tags, params } }: Merged): boolean {
  return name !== null || status !== null || tags.size > 0 || params.size > 0;
}
