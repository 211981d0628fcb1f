import type { Deps } from "../relay/deps.ts";
import { experimentMessage, modelMessage } from "../relay/messages.ts";
import { sendPokes, tryEnqueueAll } from "../relay/queues.ts";
import { type Aliases, aliasesOf, type RunAlias } from "../store/gateway/aliases.ts";
import { touchRun } from "../store/gateway/keep.ts";
import { touchModel } from "../store/gateway/models.ts";
import { poll } from "../waiting.ts";
import { unavailable } from "./keep.ts";
import { lookUpRun } from "./lookup.ts";
import type { Swap } from "./passing/swap.ts";
import { whileAway } from "./while-away.ts";

/**
 * Where ids are put in for each other. In: whichever a client has, for MLflow its own. Out: always the one that was given
 * first.
 */

/** How long a client waits for what MLflow has not heard of yet, and how often that is looked at. */
const ARRIVES_MS = 5_000;
const POLL_MS = 200;
/** So many of each are brought there by one request; for more a client comes again. */
const MAX_BROUGHT = 50;

/** What goes to MLflow or comes from it, gone through with a swap. */
type Through<T> = (swap: Swap) => T;

/**
 * A request with MLflow's ids. What MLflow has not heard of yet is brought there first.
 * @throws Refusal TEMPORARILY_UNAVAILABLE where that takes too long; NOT_IMPLEMENTED where it cannot be
 */
export async function withMlflowIds<T>(deps: Deps, through: Through<T>): Promise<T> {
  const ids = idsIn(through);
  if (ids === null) return through(SAME);
  let aliases = await aliasesOf(deps.db, ids, "client");
  if (isPending(aliases)) aliases = await arrived(deps, ids, aliases);
  const rootless = aliases.runs.filter(
    ({ asked, mlflowRoot }) => mlflowRoot === null && ids.roots.has(asked),
  );
  for (const { mlflow } of rootless) if (mlflow !== null) await lookUpRun(deps, mlflow);
  if (rootless.length > 0) aliases = await aliasesOf(deps.db, ids, "client");
  return through(toMlflow(aliases));
}

/** The same as far as MLflow has heard of them: nothing is brought there, and nothing waited for. */
export async function withKnownIds<T>({ db }: Pick<Deps, "db">, through: Through<T>): Promise<T> {
  const ids = idsIn(through);
  return through(ids === null ? SAME : toMlflow(await aliasesOf(db, ids, "client")));
}

function toMlflow(aliases: Aliases): Swap {
  const runs = byAsked(aliases.runs);
  const experiments = byAsked(aliases.experiments);
  const models = byAsked(aliases.models);
  return {
    run: (id) => runs.get(id)?.mlflow ?? id,
    experiment: (id) => experiments.get(id)?.mlflow ?? id,
    model: (id) => models.get(id)?.mlflow ?? id,
    root: (id) => (runs.get(id) ?? models.get(id))?.mlflowRoot ?? null,
  };
}

/** An answer with the ids that were given first. */
export async function withFirstIds<T>(deps: Deps, through: Through<T>): Promise<T> {
  const ids = idsIn(through);
  if (ids === null) return through(SAME);
  const aliases = await aliasesOf(deps.db, ids, "mlflow");
  const runs = byAsked(aliases.runs);
  const experiments = byAsked(aliases.experiments);
  const models = byAsked(aliases.models);
  return through({
    run: (id) => runs.get(id)?.first ?? id,
    experiment: (id) => experiments.get(id)?.first ?? id,
    model: (id) => models.get(id)?.first ?? id,
    root: (id) => (runs.get(id) ?? models.get(id))?.firstRoot ?? null,
  });
}

const SAME: Swap = { run: (id) => id, experiment: (id) => id, model: (id) => id, root: () => null };

/** `roots`: of which runs it matters where their artifacts are. */
type Ids = { runs: string[]; experiments: string[]; models: string[]; roots: ReadonlySet<string> };

/** The ids that a swap meets; null where it meets none. */
function idsIn(through: Through<unknown>): Ids | null {
  const runs = new Set<string>();
  const experiments = new Set<string>();
  const models = new Set<string>();
  const roots = new Set<string>();
  through({
    run: (id) => {
      runs.add(id);
      return id;
    },
    experiment: (id) => {
      experiments.add(id);
      return id;
    },
    model: (id) => {
      models.add(id);
      return id;
    },
    root: (id) => {
      (id.startsWith("m-") ? models : runs).add(id);
      roots.add(id);
      return null;
    },
  });
  if (runs.size + experiments.size + models.size === 0) return null;
  return { runs: [...runs], experiments: [...experiments], models: [...models], roots };
}

function byAsked<A extends { asked: string }>(aliases: readonly A[]): ReadonlyMap<string, A> {
  return new Map(aliases.map((alias) => [alias.asked, alias]));
}

function isPending({ runs, experiments, models }: Aliases): boolean {
  return [...runs, ...experiments, ...models].some(isUnknownThere);
}

function isUnknownThere({ mlflow }: { mlflow: string | null }): boolean {
  return mlflow === null;
}

/** Has what MLflow does not know brought there, and waits for it. */
async function arrived(deps: Deps, ids: Ids, { runs, experiments, models }: Aliases): Promise<Aliases> {
  const reason = whyNever(deps, runs);
  if (reason !== null) throw whileAway(reason);
  const waiting = <A extends { mlflow: string | null }>(aliases: readonly A[]) =>
    aliases.filter(isUnknownThere).slice(0, MAX_BROUGHT);
  const [waitingRuns, waitingModels] = [waiting(runs), waiting(models)];
  for (const { streamId } of waitingRuns) await touchRun(deps.db, streamId, deps.now());
  for (const { first } of waitingModels) await touchModel(deps.db, first, deps.now());
  await Promise.all([
    sendPokes(
      deps,
      waitingRuns.map(({ streamId }) => ({ streamId, urgent: true })),
    ),
    tryEnqueueAll(
      deps,
      waiting(experiments).map(({ first }) => experimentMessage(first)),
    ),
    tryEnqueueAll(
      deps,
      waitingModels.map(({ first }) => modelMessage(first)),
    ),
  ]);
  const found = await poll(
    ARRIVES_MS / POLL_MS,
    () => POLL_MS,
    async () => {
      const aliases = await aliasesOf(deps.db, ids, "client");
      return isPending(aliases) ? null : aliases;
    },
  );
  if (found) return found;
  const held = await deps.guard.held();
  if (held) throw whileAway(held.message);
  throw unavailable(
    "MLflow has not heard of this run, experiment or logged model yet. Nothing of this request was passed on.",
  );
}

/** Why it is in vain to wait, until somebody acts; null where it is not. */
function whyNever({ config }: Deps, runs: readonly RunAlias[]): string | null {
  if (!config.autoSync) return "runs are sent there on demand only (MLFLOW_AUTO_SYNC)";
  return runs.find((run) => isUnknownThere(run) && run.blockedReason !== null)?.blockedReason ?? null;
}
