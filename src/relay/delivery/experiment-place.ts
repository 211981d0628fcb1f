import { toPairs, toRecord } from "../../domain/pairs.ts";
import type { Result } from "../../mlflow/failure.ts";
import type { Experiment } from "../../mlflow/types.ts";
import {
  CREATE,
  type GatewayExperiment,
  ownLocation,
  renamedSince,
} from "../../store/gateway/experiments.ts";
import { mirrorExperiment } from "../../store/mirror/experiments.ts";
import type { Deps } from "../deps.ts";
import type { Bringing, Part } from "./bringing.ts";
import { waitForNameOf } from "./experiment-name.ts";

/** How soon to look again for what was made and is not shown. */
const UNSEEN_MS = 2_000;

/** MLflow's id of the experiment: known, found by its name, or made. */
export async function placeOf(bringing: Bringing): Promise<Part<string>> {
  const { deps, claimed, sent } = bringing;
  if (claimed.mlflowExperimentId !== null) return { ok: true, value: claimed.mlflowExperimentId };
  // It may have been made under the name that it had when that was asked for.
  const names = sent.doubt.includes(CREATE) ? [sent.name, claimed.name] : [claimed.name];
  let experiment: Experiment | null = null;
  for (const name of new Set(names)) {
    const found = await byName(deps, name);
    if (!found.ok) return found;
    experiment ??= found.value;
  }
  const other = experiment === null ? null : await renamedSince(deps.db, claimed.id, experiment);
  if (other !== null) return waitForNameOf(deps, other);
  const there = experiment === null ? await made(bringing) : ({ ok: true, value: experiment } as const);
  if (!there.ok) return there;
  const { experimentId, name, lifecycleStage: lifecycle, tags } = there.value;
  await mirrorExperiment(deps.db, there.value, deps.now());
  // What MLflow had of that name before keeps the tags that nobody spoke of here.
  const spokenOf = tags.filter(({ key }) => Object.hasOwn(claimed.tags, key));
  const known = toRecord(spokenOf);
  const noted = await bringing.note({ name, lifecycle, tags: known, doubt: [] }, { mlflowId: experimentId });
  return noted.ok ? { ok: true, value: experimentId } : noted;
}

async function made(bringing: Bringing): Promise<Part<Experiment>> {
  const { deps, claimed } = bringing;
  const { name } = claimed;
  const begun = await bringing.note({ name, doubt: [CREATE] });
  if (!begun.ok) return begun;
  const created = await deps.writes.createExperiment({ name, ...madeWith(claimed, deps.config) });
  // Made, or made by another, or perhaps made: MLflow keeps names unique, so the name tells.
  if (!created.ok && created.failure.kind !== "exists" && created.failure.kind !== "ambiguous") {
    const isSure = created.failure.kind === "invalid" || created.failure.kind === "held";
    const noted = isSure ? await bringing.note({ doubt: [] }) : null;
    return noted?.ok === false ? noted : created;
  }
  const found = await byName(deps, name);
  if (!found.ok) return found;
  if (found.value) return { ok: true, value: found.value };
  if (!created.ok) return created;
  return { ok: false, failure: null, ms: UNSEEN_MS, error: "MLflow does not show it yet" };
}

async function byName({ mlflow }: Deps, name: string): Promise<Result<Experiment | null>> {
  const found = await mlflow.getExperimentByName(name);
  if (found.ok || found.failure.kind !== "missing") return found;
  return { ok: true, value: null };
}

/** What MLflow is told of an experiment that it is to make. Where the client named no place, MLflow chooses. */
function madeWith(
  { id, artifactLocation, tags }: GatewayExperiment,
  config: { artifactLocation: string | null },
) {
  const location = artifactLocation === ownLocation(id) ? config.artifactLocation : artifactLocation;
  const pairs = toPairs(tags);
  return {
    ...(location === null ? {} : { artifactLocation: location }),
    ...(pairs.length === 0 ? {} : { tags: pairs }),
  };
}
