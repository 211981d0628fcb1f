import { chars, MAX_TAG_VALUE_CHARS } from "../domain/limits.ts";
import { LOGGED_MODELS_TAG } from "../mlflow/tags.ts";
import type { Deps } from "../relay/deps.ts";
import { gatewayEvent } from "./event.ts";
import { keepOrRefuse } from "./keep.ts";
import { invalid } from "./refusal.ts";
import type { ModelSummary } from "./requests/log-model.ts";
import { jsonText } from "./requests/python.ts";
import { runForWrite } from "./run-for-write.ts";
import { showRun } from "./shown-run.ts";

/**
 * A model that a client of MLflow 1 or 2 logged: as in MLflow one more of the list in a tag of its run. The latest are
 * kept where a tag has no room for all; the same again is a repeat.
 * @throws Refusal for one that has no room by itself, and as MLflow would
 */
export async function logModel(
  deps: Deps,
  { runId, model }: { runId: string; model: ModelSummary },
): Promise<void> {
  if (!fits([model])) throw invalid(`The model's info has more than ${MAX_TAG_VALUE_CHARS} characters.`);
  const run = await runForWrite(deps, runId);
  const { tags } = await showRun(deps, run);
  const models = listIn(tags.find(({ key }) => key === LOGGED_MODELS_TAG)?.value);
  const isKnown = models.some((known) => jsonText(known) === jsonText(model));
  const all = isKnown ? models : [...models, model];
  while (!fits(all)) all.shift();
  const facts = { tags: { [LOGGED_MODELS_TAG]: jsonText(all) } };
  await keepOrRefuse(deps, [gatewayEvent(deps, run, "mlflow.tag", facts)], { runId: run.runId });
}

function fits(models: readonly unknown[]): boolean {
  return chars(jsonText(models)) <= MAX_TAG_VALUE_CHARS;
}

/** Nobody's words but a client's own could be something else. */
function listIn(text: string | undefined): unknown[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
