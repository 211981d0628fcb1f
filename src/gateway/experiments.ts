import type { Experiment } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { experimentMessage } from "../relay/messages.ts";
import { tryEnqueue } from "../relay/queues.ts";
import {
  adoptExperiment,
  changeExperiment,
  createExperiment,
  type ExperimentChange,
} from "../store/gateway/change-experiment.ts";
import {
  experimentById,
  experimentByName,
  type GatewayExperiment,
  isBeingMade,
  ownLocation,
  seenInMlflow,
} from "../store/gateway/experiments.ts";
import { unavailable } from "./keep.ts";
import { lookUpExperiment, lookUpExperimentNamed } from "./lookup.ts";
import { Refusal } from "./refusal.ts";
import { checkNewView } from "./requests/experiment-tags.ts";

/** Experiments for MLflow's clients: kept here at once, brought to MLflow by themselves. */

/** MLflow has it from the beginning. */
const DEFAULT_ID = "0";
const MINTED_DIGITS = 17;

/**
 * The experiment with this id, the relay's or MLflow's.
 * @throws Refusal RESOURCE_DOES_NOT_EXIST; TEMPORARILY_UNAVAILABLE where only MLflow could know it, and is away
 */
export async function experimentOf(deps: Deps, asked: string): Promise<GatewayExperiment> {
  const id = asked === "" ? DEFAULT_ID : asked;
  const known = await experimentById(deps.db, id);
  if (known) return known;
  const found = await lookUpExperiment(deps, id);
  if (found.kind === "found") return seenInMlflow(found.value);
  if (found.kind === "none")
    throw new Refusal("RESOURCE_DOES_NOT_EXIST", `No Experiment with id=${id} exists`);
  if (id === DEFAULT_ID) return theDefault;
  throw unavailable(`Experiment ${id} is not known here, and MLflow cannot be asked for it just now.`);
}

const theDefault: GatewayExperiment = {
  id: DEFAULT_ID,
  mlflowExperimentId: DEFAULT_ID,
  name: "Default",
  artifactLocation: ownLocation(DEFAULT_ID),
  lifecycle: "active",
  tags: {},
  createdTime: 0,
  updatedTime: 0,
  isOurs: false,
};

/** Sees to it that MLflow's first experiment is among those that were seen, if MLflow can be asked. */
export async function seeDefault(deps: Deps): Promise<void> {
  if ((await experimentById(deps.db, DEFAULT_ID)) === null) await lookUpExperiment(deps, DEFAULT_ID);
}

/**
 * The experiment of this name. While MLflow is away a name that nobody knows is one that is free: what is made of it is
 * joined with MLflow's own later.
 * @throws Refusal RESOURCE_DOES_NOT_EXIST
 */
export async function experimentNamed(deps: Deps, name: string): Promise<GatewayExperiment> {
  const known = await experimentByName(deps.db, name);
  if (known) return known;
  const found = await lookUpExperimentNamed(deps, name);
  if (found.kind === "found" && !(await isRenamedHere(deps, found.value))) return seenInMlflow(found.value);
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Could not find experiment with name '${name}'`);
}

/**
 * Whether what MLflow has under a name that nobody has here may be one of ours, renamed since: known here by another name, or
 * just being made there.
 */
async function isRenamedHere({ db }: Deps, { experimentId, creationTime }: Experiment): Promise<boolean> {
  if ((await experimentById(db, experimentId))?.isOurs) return true;
  return isBeingMade(db, creationTime ?? 0);
}

/** The active experiment of this name, made where nobody has it. */
export async function experimentByNameOrMade(deps: Deps, name: string): Promise<GatewayExperiment> {
  const known = await experimentByName(deps.db, name);
  const id = known?.id ?? (await made(deps, { name, artifactLocation: "", tags: {} }));
  // Another request may have made it meanwhile.
  return id === null ? experimentByNameOrMade(deps, name) : ownExperiment(deps, id);
}

/** An experiment of ours, so that it can be written to: one that MLflow had first is taken up. */
export async function ownExperiment(deps: Deps, asked: string): Promise<GatewayExperiment> {
  const experiment = await experimentOf(deps, asked);
  if (!experiment.isOurs) await adoptExperiment(deps.db, experiment);
  return experiment;
}

type ExperimentToMake = { name: string; artifactLocation: string; tags: Record<string, string> };

/**
 * Makes an experiment, under an id that stays.
 * @returns its id
 * @throws Refusal RESOURCE_ALREADY_EXISTS
 */
export async function makeExperiment(deps: Deps, asked: ExperimentToMake): Promise<string> {
  const id = await made(deps, asked);
  if (id === null)
    throw new Refusal("RESOURCE_ALREADY_EXISTS", `Experiment(name=${asked.name}) already exists.`);
  return id;
}

/** Null where the name is taken. */
async function made(deps: Deps, { name, artifactLocation, tags }: ExperimentToMake): Promise<string | null> {
  const id = mintedId();
  const now = deps.now();
  const isMade = await createExperiment(deps.db, {
    id,
    mlflowExperimentId: null,
    name,
    artifactLocation: artifactLocation || ownLocation(id),
    lifecycle: "active",
    tags,
    createdTime: now,
    updatedTime: now,
    isOurs: true,
  });
  if (!isMade) return null;
  await tryEnqueue(deps, experimentMessage(id));
  return id;
}

/** MLflow numbers its own from 1, and takes no other id than a number below 2^63. */
function mintedId(): string {
  const digits = Array.from(crypto.getRandomValues(new Uint8Array(MINTED_DIGITS)), (byte) => byte % 10);
  return `9${digits.join("")}`;
}

/** @throws Refusal as MLflow would, where the experiment is not as the change needs it */
export async function renameExperiment(deps: Deps, asked: string, name: string): Promise<void> {
  const experiment = await ownExperiment(deps, asked);
  if (await changed(deps, experiment, { kind: "rename", name, now: deps.now() })) return;
  const { lifecycle } = await experimentOf(deps, experiment.id);
  if (lifecycle === "deleted") throw new Refusal("INVALID_STATE", "Cannot rename a non-active experiment.");
  throw new Refusal("BAD_REQUEST", `Experiment(name=${name}) already exists.`);
}

/** Deletes or restores an experiment with all its runs. @throws Refusal where it is so already */
export async function setLifecycle(
  deps: Deps,
  asked: string,
  lifecycle: GatewayExperiment["lifecycle"],
): Promise<void> {
  const experiment = await ownExperiment(deps, asked);
  const isChanged = await changed(deps, experiment, { kind: "lifecycle", lifecycle, now: deps.now() });
  // Where it was otherwise a moment ago it is so now, by this request or another.
  if (!isChanged && experiment.lifecycle === lifecycle)
    throw new Refusal("RESOURCE_DOES_NOT_EXIST", `No Experiment with id=${experiment.id} exists`);
}

export async function setExperimentTag(
  deps: Deps,
  asked: string,
  tag: { key: string; value: string },
): Promise<void> {
  const experiment = await ownExperiment(deps, asked);
  checkNewView(experiment.id, tag.key, experiment.tags);
  if (!(await changed(deps, experiment, { kind: "tag", ...tag }))) throw notActive(experiment.id);
}

export async function deleteExperimentTag(deps: Deps, asked: string, key: string): Promise<void> {
  const experiment = await ownExperiment(deps, asked);
  if (await changed(deps, experiment, { kind: "untag", key })) return;
  const { lifecycle } = await experimentOf(deps, experiment.id);
  if (lifecycle === "deleted") throw notActive(experiment.id);
  if (Object.hasOwn(experiment.tags, key)) return;
  throw new Refusal(
    "RESOURCE_DOES_NOT_EXIST",
    `No tag with name: ${key} in experiment with id ${experiment.id}`,
  );
}

/** What MLflow says of an experiment that is deleted. */
export function notActive(id: string): Refusal {
  const message = `The experiment ${id} must be in the 'active' state. Current state is deleted.`;
  return new Refusal("INVALID_PARAMETER_VALUE", message);
}

async function changed(deps: Deps, { id }: GatewayExperiment, change: ExperimentChange): Promise<boolean> {
  const isChanged = await changeExperiment(deps.db, id, change);
  // It may be so by this very request, though the answer was lost.
  await tryEnqueue(deps, experimentMessage(id));
  return isChanged;
}
