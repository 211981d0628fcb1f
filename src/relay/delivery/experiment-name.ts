import { isWanted, renamedSince } from "../../store/gateway/experiments.ts";
import type { Deps } from "../deps.ts";
import { experimentMessage } from "../messages.ts";
import { tryEnqueue } from "../queues.ts";
import type { Bringing, Part } from "./bringing.ts";
import type { Change } from "./experiment-changes.ts";

/** How soon to look again for a name that another of ours is to give up. */
const TAKEN_MS = 2_000;

type Stopped = Extract<Part, { ok: false }>;

/**
 * What follows where MLflow does not give an experiment its name because another has it: one of ours that has another name
 * by now is told first. Where that may wait for the very name that this one has there, this one makes room.
 * @param tell tells MLflow a change
 * @returns what it waits for, or what MLflow said, where the name is somebody else's
 */
export async function nameTaken(
  bringing: Bringing,
  mlflowId: string,
  refused: Stopped,
  tell: (change: Change) => Promise<Part>,
): Promise<Stopped> {
  const { deps, claimed } = bringing;
  const kind = refused.failure?.kind;
  if (kind !== "duplicate" && kind !== "exists") return refused;
  const holder = await deps.mlflow.getExperimentByName(claimed.name);
  if (!holder.ok) return holder.failure.kind === "missing" ? waiting("its name was just given up") : holder;
  const other = await renamedSince(deps.db, claimed.id, holder.value);
  if (other === null) return refused;
  if (await isWanted(deps.db, claimed.id, bringing.sent.name)) {
    const aside = await tell(stepAside(bringing, mlflowId));
    if (!aside.ok) return aside;
  }
  return waitForNameOf(deps, other);
}

/** Has another of ours told MLflow its new name, and waits until the one that it had there is free. */
export async function waitForNameOf(deps: Deps, other: string): Promise<Stopped> {
  await tryEnqueue(deps, experimentMessage(other));
  return waiting(`experiment ${other} has its name in MLflow until it is renamed there`);
}

/** A name that nobody else has or wants, for the moment. */
function stepAside({ deps, claimed }: Bringing, experimentId: string): Change {
  const name = `relay.${claimed.id}`;
  return {
    field: "name",
    call: () => deps.writes.updateExperiment({ experimentId, newName: name }),
    change: () => ({ name }),
    isDone: () => false,
  };
}

function waiting(error: string): Stopped {
  return { ok: false, failure: null, ms: TAKEN_MS, error };
}
