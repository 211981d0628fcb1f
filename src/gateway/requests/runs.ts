import { cut, MAX_KEY_CHARS, MAX_RUN_NAME_CHARS, MAX_USER_CHARS } from "../../domain/limits.ts";
import { RUN_STATUSES, type RunStatus } from "../../domain/words.ts";
import { RUN_NAME_TAG } from "../../mlflow/tags.ts";
import { invalid, Refusal } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { experimentIdOf } from "./ids.ts";
import { int64, listOf, message, oneOf, text } from "./message.ts";
import { checkLength, checkOwn, fittingTag, type Pair } from "./names.ts";
import { endpoint, readJson, readQuery } from "./schema.ts";

export const tagMessage = message({ key: text, value: text });

const CREATE = endpoint(
  { experiment_id: text, user_id: text, run_name: text, start_time: int64, tags: listOf(tagMessage) },
  ["experiment_id", "text"],
  ["start_time", "int"],
  ["run_name", "text"],
);

/** `startTime` in epoch milliseconds, 0 where none was sent; an empty text stands for none. */
export type CreateRun = {
  experimentId: string;
  userId: string;
  runName: string;
  startTime: number;
  tags: Pair[];
};

/** POST runs/create. MLflow looks at no tag's key here. */
export function readCreateRun(body: Raw): CreateRun {
  const sent = readJson(CREATE, body);
  const { user_id: userId = "", run_name: runName = "", start_time: startTime = 0 } = sent;
  const tags = (sent.tags ?? []).map(({ key = "", value = "" }) => {
    checkLength("key", MAX_KEY_CHARS, key);
    checkOwn(key, "key");
    return { key, value };
  });
  if (!sent.experiment_id) throw new Refusal("BAD_REQUEST", "A run must name its experiment_id.");
  const experimentId = experimentIdOf(sent.experiment_id);
  const tagged = tags.find(({ key }) => key === RUN_NAME_TAG)?.value;
  if (runName && tagged && runName !== tagged)
    throw invalid(
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${runName}', mlflow.runName='${tagged}').`,
    );
  // MLflow adds the tag of a run's name where it finds none, or an empty one.
  if (tagged === "" || new Set(tags.map(({ key }) => key)).size < tags.length)
    throw new Refusal("BAD_REQUEST", "A run's tags must have different keys.");
  return {
    experimentId,
    userId: cut(userId, MAX_USER_CHARS),
    runName: cut(runName, MAX_RUN_NAME_CHARS),
    startTime,
    tags: tags.map(fittingTag),
  };
}

const UPDATE = endpoint(
  {
    run_id: text,
    run_uuid: text,
    status: oneOf<RunStatus>(...RUN_STATUSES),
    end_time: int64,
    run_name: text,
  },
  ["run_id", "required", "text"],
  ["end_time", "int"],
  ["status", "text"],
  ["run_name", "text"],
);

/** What is not there, and an empty name, changes nothing. `endTime` in epoch milliseconds. */
export type UpdateRun = { runId: string; status?: RunStatus; endTime?: number; runName?: string };

/** POST runs/update */
export function readUpdateRun(body: Raw): UpdateRun {
  const { run_id, run_uuid = "", status, end_time, run_name } = readJson(UPDATE, body);
  return {
    runId: run_id || run_uuid,
    ...(status === undefined ? {} : { status }),
    ...(end_time === undefined ? {} : { endTime: end_time }),
    ...(run_name ? { runName: cut(run_name, MAX_RUN_NAME_CHARS) } : {}),
  };
}

const GET = endpoint({ run_id: text, run_uuid: text }, ["run_id", "required", "text"]);

/** GET runs/get */
export function readGetRun(query: URLSearchParams): { runId: string } {
  const { run_id, run_uuid = "" } = readQuery(GET, query);
  return { runId: run_id || run_uuid };
}

const NAME = endpoint({ run_id: text }, ["run_id", "required", "text"]);

/** POST runs/delete and runs/restore, where `run_uuid` satisfies MLflow, but names no run. */
export function readRunId(body: Raw): { runId: string } {
  return { runId: readJson(NAME, body).run_id ?? "" };
}
