import { MAX_KEY_CHARS } from "../../domain/limits.ts";
import { invalid, type Refusal } from "../refusal.ts";
import { isRaw } from "./body.ts";
import { checkKey, checkLength, type Pair } from "./names.ts";

/** What MLflow asks of an experiment's tags, some of which are settings of its own, in its words. */

const MAX_VALUE_CHARS = 20_000;
const VIEW_PREFIX = "mlflow.customView.view";
const MAX_VIEWS = 50;
const MAX_DURATION_CHARS = 32;
const DURATION = /^[1-9][0-9]*[mhd]$/;

/** An experiment's tag, which is not cut. */
export function readExperimentTag({ key = "", value = "" }: Partial<Pair>): Pair {
  checkKey(key, "key");
  checkLength("key", MAX_KEY_CHARS, key);
  checkLength("value", MAX_VALUE_CHARS, value);
  if (key === "mlflow.trace.archivalRetention") checkDuration(retentionIn(value));
  if (key === "mlflow.trace.archiveNow") checkDuration(configIn(value).older_than ?? null);
  return { key, value };
}

/** @throws Refusal where a new experiment is to have more of the tags that hold a page's views than MLflow keeps */
export function checkViews(keys: readonly string[]): void {
  if (keys.filter(isView).length > MAX_VIEWS) throw tooManyViews("");
}

/** The same for one more tag of an experiment that has some; to change one that it has is free. */
export function checkNewView(id: string, key: string, tags: Readonly<Record<string, string>>): void {
  const isMore = isView(key) && !Object.hasOwn(tags, key);
  if (isMore && Object.keys(tags).filter(isView).length >= MAX_VIEWS)
    throw tooManyViews(` for experiment ${id}`);
}

function isView(key: string): boolean {
  return key.startsWith(VIEW_PREFIX);
}

function tooManyViews(where: string): Refusal {
  return invalid(
    `Unable to create another custom view${where}; the maximum number of custom views per experiment is ${MAX_VIEWS}.` +
      " Delete an existing custom view before creating a new one.",
  );
}

/** Nothing that is no duration is one; null would say that there is none. */
function retentionIn(value: string): unknown {
  const { type, value: duration = 0 } = configIn(value);
  if (type !== "duration") throw invalid("Trace archival config must use type 'duration'.");
  return duration ?? 0;
}

function configIn(value: string): Readonly<Record<string, unknown>> {
  const config = parsed(value);
  if (!isRaw(config)) throw invalid("Trace archival config must be encoded as a JSON object.");
  return config;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function checkDuration(duration: unknown): void {
  if (duration === null) return;
  const text = typeof duration === "string" ? duration.trim() : "";
  if (text.length > MAX_DURATION_CHARS)
    throw invalid(`Trace archival duration must be at most ${MAX_DURATION_CHARS} characters.`);
  if (!DURATION.test(text))
    throw invalid(
      "Trace archival retention must be in the form `<int><unit>`, where unit is one of 'm', 'h', or 'd'.",
    );
}
