import { Refusal } from "../refusal.ts";
import { checkLocation } from "./artifact-location.ts";
import type { Raw } from "./body.ts";
import { checkViews, readExperimentTag } from "./experiment-tags.ts";
import { experimentIdOf } from "./ids.ts";
import { listOf, text } from "./message.ts";
import { checkLength, type Pair } from "./names.ts";
import { tagMessage } from "./runs.ts";
import { endpoint, readJson, readQuery } from "./schema.ts";

const MAX_NAME_CHARS = 500;

const CREATE = endpoint(
  { name: text, artifact_location: text, tags: listOf(tagMessage) },
  ["name", "required", "text"],
  ["artifact_location", "text"],
  ["tags", "list"],
);

/** An empty `artifactLocation` leaves the choice to the server. */
export type CreateExperiment = { name: string; artifactLocation: string; tags: Pair[] };

/** POST experiments/create */
export function readCreateExperiment(body: Raw): CreateExperiment {
  const { name = "", artifact_location: artifactLocation = "", tags: sent = [] } = readJson(CREATE, body);
  checkViews(sent.map(({ key = "" }) => key));
  checkLocation(artifactLocation);
  checkLength("name", MAX_NAME_CHARS, name);
  const tags = sent.map((tag) => readExperimentTag(tag));
  if (new Set(tags.map(({ key }) => key)).size < tags.length)
    throw new Refusal(
      "RESOURCE_ALREADY_EXISTS",
      `Experiment(name=${name}) already exists. Error: its tags must have different keys.`,
    );
  return { name, artifactLocation, tags };
}

const GET = endpoint({ experiment_id: text }, ["experiment_id", "required", "text"]);

/** GET experiments/get */
export function readGetExperiment(query: URLSearchParams): { experimentId: string } {
  return { experimentId: experimentIdOf(readQuery(GET, query).experiment_id ?? "") };
}

/** POST experiments/delete and experiments/restore */
export function readExperimentId(body: Raw): { experimentId: string } {
  return { experimentId: experimentIdOf(readJson(GET, body).experiment_id ?? "") };
}

const GET_BY_NAME = endpoint({ experiment_name: text }, ["experiment_name", "required", "text"]);

/** GET experiments/get-by-name */
export function readGetExperimentByName(query: URLSearchParams): { name: string } {
  return { name: readQuery(GET_BY_NAME, query).experiment_name ?? "" };
}

const UPDATE = endpoint(
  { experiment_id: text, new_name: text },
  ["experiment_id", "required", "text"],
  ["new_name", "text", "required"],
);

/** POST experiments/update */
export function readUpdateExperiment(body: Raw): { experimentId: string; newName: string } {
  const { experiment_id = "", new_name: newName = "" } = readJson(UPDATE, body);
  checkLength("name", MAX_NAME_CHARS, newName);
  return { experimentId: experimentIdOf(experiment_id), newName };
}

const SET_TAG = endpoint(
  { experiment_id: text, key: text, value: text },
  ["experiment_id", "required", "text"],
  ["key", "required", "text"],
  ["value", "text"],
);

/** POST experiments/set-experiment-tag */
export function readSetExperimentTag(body: Raw): Pair & { experimentId: string } {
  const { experiment_id = "", ...sent } = readJson(SET_TAG, body);
  const tag = readExperimentTag(sent);
  return { experimentId: experimentIdOf(experiment_id), ...tag };
}

const DELETE_TAG = endpoint(
  { experiment_id: text, key: text },
  ["experiment_id", "required", "text"],
  ["key", "required", "text"],
);

/** POST experiments/delete-experiment-tag */
export function readDeleteExperimentTag(body: Raw): { experimentId: string; key: string } {
  const { experiment_id = "", key = "" } = readJson(DELETE_TAG, body);
  return { experimentId: experimentIdOf(experiment_id), key };
}
