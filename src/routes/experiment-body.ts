import type { Context } from "hono";
import * as z from "zod";
import { chars, MAX_EXPERIMENT_NAME_CHARS } from "../domain/limits.ts";
import { invalid } from "../domain/problems.ts";
import { HELD_RULE, isHeld } from "../domain/text.ts";
import type { AppEnv } from "./context.ts";
import { readJsonBody } from "./json-body.ts";
import { refusal } from "./query.ts";

const NAME_RULE = `must be a text of 1 to ${MAX_EXPERIMENT_NAME_CHARS} characters`;
const EXACTLY_ONE = "must have exactly one of experiment_id and experiment_name";

const shape = {
  experiment_id: z
    .string()
    .regex(/^[\w-]{1,64}$/, "must be MLflow's id of an experiment")
    .optional(),
  experiment_name: z
    .string(NAME_RULE)
    .min(1, NAME_RULE)
    .refine((name) => chars(name) <= MAX_EXPERIMENT_NAME_CHARS, NAME_RULE)
    .refine(isHeld, HELD_RULE)
    .optional(),
};

/** Which experiment a request is about: by MLflow's id, or by name. */
export type AskedExperiment = { experimentId: string } | { experimentName: string };

/**
 * Reads a body that names one experiment.
 * @throws HttpFailure invalid_request if it names none, or names it in both ways
 */
export async function readExperiment(c: Context<AppEnv>): Promise<AskedExperiment> {
  const { experiment_id: id, experiment_name: name } = await readJsonBody(c, shape);
  if (id !== undefined && name === undefined) return { experimentId: id };
  if (id === undefined && name !== undefined) return { experimentName: name };
  const asked = { experiment_id: id ?? null, experiment_name: name ?? null };
  throw refusal([invalid(["body"], EXACTLY_ONE, asked)]);
}
