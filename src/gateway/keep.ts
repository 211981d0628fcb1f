import { pythonText } from "../domain/python.ts";
import type { JournalEvent } from "../domain/types.ts";
import type { LifecycleStage } from "../domain/words.ts";
import { DATABASE_AWAY } from "../errors.ts";
import { errorText } from "../log.ts";
import type { Deps } from "../relay/deps.ts";
import { isFull, noteSize } from "../relay/intake/ingest.ts";
import { modelMessage } from "../relay/messages.ts";
import { sendPokes, tryEnqueueAll } from "../relay/queues.ts";
import { isTransient } from "../store/database/transient.ts";
import type { SaidInput } from "../store/gateway/inputs.ts";
import { keep, keptUnheard, type NewRun, whyNotKept } from "../store/gateway/keep.ts";
import { modelsOf, type OfModels } from "../store/gateway/model-ties.ts";
import { permanentRefusal } from "../store/journal/refusal.ts";
import { withDeadline } from "../waiting.ts";
import { invalid, Refusal } from "./refusal.ts";

/** Long enough for a busy database, short enough for a trainer. */
const KEEP_TIMEOUT_MS = 5_000;
/** Whether it was kept though its answer was lost. */
const LOOK_TIMEOUT_MS = 1_000;

/** Its run goes to MLflow before it, and more is said of it soon. */
const MODEL_GATHER_MS = 3_000;

export type How = {
  /** The id by which the client knows the run. */
  runId: string;
  /** The run, where it is made or taken over by this. */
  create?: NewRun;
  /** What the run's lifecycle is by this. */
  lifecycle?: LifecycleStage;
  /** Datasets that the run was given. */
  inputs?: readonly SaidInput[];
  /** Logged models that it was given or made, and points that are theirs as well. */
  models?: OfModels;
  /** What to say of a run that could not be made. */
  notMade?: () => Refusal;
  /** One parameter by itself is refused in other words than those of a batch. */
  single?: boolean;
};

/**
 * Keeps what a client said of one run, all or nothing, and has the consumer hear of it. Nothing waits for MLflow, and
 * nothing goes round by the queue: what conflicts could not be told there.
 * @throws Refusal as MLflow would; TEMPORARILY_UNAVAILABLE where the database does not take it, and then nothing is kept,
 *   or the same again is harmless
 */
export async function keepOrRefuse(
  deps: Deps,
  events: readonly [JournalEvent, ...JournalEvent[]],
  how: How,
): Promise<void> {
  const kept = await taken(deps, events, how);
  noteSize(kept.databaseBytes, deps.now());
  if (!kept.isKept) throw await refusalOf(deps, events, how);
  deps.tally.add('relay_events_total{outcome="accepted"}', events.length);
  const models = how.models ? modelsOf(how.models) : [];
  await Promise.all([
    sendPokes(deps, kept.pokes),
    tryEnqueueAll(deps, models.map(modelMessage), MODEL_GATHER_MS),
  ]);
}

async function taken(deps: Deps, events: readonly [JournalEvent, ...JournalEvent[]], how: How) {
  try {
    if (await isFull(deps)) throw unavailable("The relay's database is past its high-water mark.");
    return await withDeadline(KEEP_TIMEOUT_MS, keep(deps.db, events, deps.now(), how));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const permanent = permanentRefusal(error);
    if (permanent) throw invalid(`The request cannot be kept: ${permanent.reason}`);
    const kept = isTransient(error) ? await unheard(deps, events) : null;
    if (kept !== null) return kept;
    deps.log.warn("the database refused what an MLflow client said", { error: errorText(error) });
    throw unavailable(DATABASE_AWAY);
  }
}

/** Only the answer may have been lost: who asked again would be told otherwise than the first time, such as that a tag is gone. */
async function unheard(deps: Deps, events: readonly [JournalEvent, ...JournalEvent[]]) {
  try {
    return await withDeadline(LOOK_TIMEOUT_MS, keptUnheard(deps.db, events));
  } catch {
    return null;
  }
}

async function refusalOf(
  deps: Deps,
  events: readonly [JournalEvent, ...JournalEvent[]],
  { runId, notMade, single = false }: How,
): Promise<Refusal> {
  const said = paramsOf(events);
  const { lifecycle, conflicts } = await whyNotKept(deps.db, events[0].stream.key, said);
  if (lifecycle === null && notMade) return notMade();
  if (lifecycle === "deleted") return invalid(notActiveRun(runId));
  const [first] = conflicts;
  // Whatever stood in the way has gone since: the next try may succeed.
  if (!first) return unavailable("The run changed meanwhile. Nothing of this request was acknowledged.");
  const refused = (key: string) => said[key] ?? "";
  if (single)
    return invalid(
      `Changing param values is not allowed. Param with key='${first.key}' was already logged with value='${first.kept}' for run ID='${runId}'. Attempted logging new value '${refused(first.key)}'.`,
    );
  const differing = conflicts.map(({ key, kept }) => ({ key, old_value: kept, new_value: refused(key) }));
  return invalid(
    `Changing param values is not allowed. Params were already logged='${pythonText(differing, {}, "", new Map())}' for run ID='${runId}'.`,
  );
}

function paramsOf(events: readonly JournalEvent[]): Record<string, string> {
  return Object.fromEntries(events.flatMap(({ facts }) => Object.entries(facts?.params ?? {})));
}

/** What MLflow says of a run that is deleted. */
export function notActiveRun(runId: string): string {
  return `The run ${runId} must be in the 'active' state. Current state is deleted.`;
}

/** A refusal after which the very next try may succeed: a client waits a second. */
export function unavailable(message: string): Refusal {
  return new Refusal("TEMPORARILY_UNAVAILABLE", message);
}
