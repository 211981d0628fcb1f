import {
  chars,
  cut,
  MAX_KEY_CHARS,
  MAX_PARAM_VALUE_CHARS,
  MAX_RUN_NAME_CHARS,
  MAX_TAG_VALUE_CHARS,
} from "../../domain/limits.ts";
import { quoted } from "../../domain/python.ts";
import { isPythonWord } from "../../domain/python-word.ts";
import { RUN_NAME_TAG } from "../../mlflow/tags.ts";
import { invalid, type Refusal } from "../refusal.ts";
import { jsonDumps } from "./python.ts";

/** What MLflow asks of keys and values, in its words (mlflow/utils/validation.py). */

export type Pair = { key: string; value: string };

const BESIDE_WORDS = "/.- :";
const CHARACTERS =
  "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).";

/** @param rule ends the message; without one it ends after the parameter's name */
export function invalidValue(path: string, value: unknown, rule?: string): Refusal {
  const what = `Invalid value ${jsonDumps(value)} for parameter '${path}' supplied`;
  return invalid(rule === undefined ? `${what}.` : `${what}: ${rule}`);
}

/** @throws Refusal for a key that MLflow takes for no metric's, parameter's or tag's; its length is another matter */
export function checkKey(key: string, path: string): void {
  checkOwn(key, path);
  // Python's `$` matches before a newline at the end.
  const isMadeOf = [...key.replace(/\n$/, "")].every(
    (char) => BESIDE_WORDS.includes(char) || isPythonWord(char),
  );
  if (!isMadeOf) throw invalidValue(path, key, CHARACTERS);
  const normal = normalPath(key);
  if (normal === key && !/^(\/|\.\.|\.$)/.test(normal)) return;
  throw invalidValue(
    path,
    key,
    "Names may be treated as files in certain cases, and must not resolve to other names when treated as such." +
      ` This name would resolve to ${quoted(normal)}`,
  );
}

/** @throws Refusal for a name that JavaScript would lose: MLflow takes it */
export function checkOwn(key: string, path: string): void {
  if (key === "__proto__") throw invalidValue(path, key, "The relay takes every name but this one.");
}

/** @throws Refusal */
export function checkLength(name: string, limit: number, text: string): void {
  if (chars(text) > limit) throw invalid(`'${name}' exceeds the maximum length of ${limit} characters`);
}

/** A parameter as MLflow keeps it: it cuts long values without a word. */
export function readParam({ key = "", value = "" }: Partial<Pair>, at = ""): Pair {
  checkKey(key, `${at}key`);
  checkLength("Param key", MAX_KEY_CHARS, key);
  return { key, value: cut(value, MAX_PARAM_VALUE_CHARS) };
}

/** A run's tag as MLflow keeps it, which cuts its value too. */
export function readTag({ key = "", value = "" }: Partial<Pair>, at = ""): Pair {
  checkKey(key, `${at}key`);
  checkLength(`${at}key`, MAX_KEY_CHARS, key);
  return fittingTag({ key, value });
}

/** A run's tag as far as any database of MLflow's holds it. The one of its name holds what a run's name does. */
export function fittingTag({ key, value }: Pair): Pair {
  return { key, value: cut(value, key === RUN_NAME_TAG ? MAX_RUN_NAME_CHARS : MAX_TAG_VALUE_CHARS) };
}

/** As Python's `posixpath.normpath`. */
function normalPath(path: string): string {
  const root = /^\/\/(?!\/)/.test(path) ? "//" : path.startsWith("/") ? "/" : "";
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== ".." || (root === "" && parts.length === 0) || parts.at(-1) === "..") parts.push(part);
    else parts.pop();
  }
  return root + parts.join("/") || ".";
}
