import type { MlflowWrites } from "../../mlflow/client.ts";
import type { Failure, Result } from "../../mlflow/failure.ts";
import type { ClaimedExperiment, SentExperiment } from "../../store/gateway/behind.ts";

/** A call that brings an experiment nearer to what is wanted. */
export type Change = {
  /** What of it is told, by its name among what is in doubt. */
  field: string;
  call: () => Promise<Result<void>>;
  change: (sent: SentExperiment) => Partial<SentExperiment>;
  /** Whether a failure says that there is nothing left to do. */
  isDone: (failure: Failure) => boolean;
};

const never = () => false;

/** What is to be told MLflow, so that a deleted one is restored first, and one with runs on their way not deleted. */
export function* changesTo(
  writes: MlflowWrites,
  experimentId: string,
  { name, lifecycle, tags, isBusy }: ClaimedExperiment,
  sent: SentExperiment,
): Generator<Change> {
  const doubt = new Set(sent.doubt);
  const tagged = Object.entries(tags).filter(
    ([key, value]) => sent.tags[key] !== value || doubt.has(tagField(key)),
  );
  const there = [...Object.keys(sent.tags), ...sent.doubt.flatMap(keyOf)];
  const untagged = [...new Set(there)].filter((key) => !Object.hasOwn(tags, key));
  const isRenamed = sent.name !== name || doubt.has("name");
  const isChanged = isRenamed || tagged.length > 0 || untagged.length > 0;
  const isDeleted = sent.lifecycle === "deleted" || doubt.has("lifecycle");
  if (isDeleted && (lifecycle === "active" || isChanged))
    yield {
      field: "lifecycle",
      call: () => writes.restoreExperiment(experimentId),
      change: () => ({ lifecycle: "active" }),
      // One that is not deleted.
      isDone: ({ kind }) => kind === "gone",
    };
  if (isRenamed)
    yield {
      field: "name",
      call: () => writes.updateExperiment({ experimentId, newName: name }),
      change: () => ({ name }),
      isDone: never,
    };
  for (const [key, value] of tagged)
    yield {
      field: tagField(key),
      call: () => writes.setExperimentTag({ experimentId, key, value }),
      change: (before) => ({ tags: { ...before.tags, [key]: value } }),
      isDone: never,
    };
  for (const key of untagged)
    yield {
      field: tagField(key),
      call: () => writes.deleteExperimentTag({ experimentId, key }),
      change: ({ tags: { [key]: _, ...others } }) => ({ tags: others }),
      // It is not there; a server that has no such call keeps it.
      isDone: ({ kind, status }) => kind === "missing" || (kind === "misconfigured" && status === 404),
    };
  if (lifecycle === "deleted" && !isBusy && (sent.lifecycle === "active" || isDeleted || isChanged))
    yield {
      field: "lifecycle",
      call: () => writes.deleteExperiment(experimentId),
      change: () => ({ lifecycle: "deleted" }),
      isDone: ({ kind }) => kind === "gone",
    };
}

const TAG = "tag:";
const tagField = (key: string) => `${TAG}${key}`;
const keyOf = (field: string) => (field.startsWith(TAG) ? [field.slice(TAG.length)] : []);
