import * as z from "zod";
import { chars, MAX_EXPERIMENT_NAME_CHARS } from "../../domain/limits.ts";
import { invalid } from "../../domain/problems.ts";
import { HELD_RULE, isHeld } from "../../domain/text.ts";
import { documented } from "../contract.ts";
import { refusal } from "../door/query.ts";
import { MLFLOW_EXPERIMENT } from "../examples.ts";

const NAME_RULE = `must be a text of 1 to ${MAX_EXPERIMENT_NAME_CHARS} characters`;
const EXACTLY_ONE = "must have exactly one of experiment_id and experiment_name";

const schema = z
  .strictObject({
    experiment_id: z
      .string()
      .regex(/^[\w-]{1,64}$/, "must be MLflow's id of an experiment")
      .optional()
      .describe("MLflow's id of the experiment."),
    experiment_name: z
      .string(NAME_RULE)
      .min(1, NAME_RULE)
      .refine((name) => chars(name) <= MAX_EXPERIMENT_NAME_CHARS, NAME_RULE)
      .refine(isHeld, HELD_RULE)
      .register(documented, { as: { type: "string", minLength: 1, maxLength: MAX_EXPERIMENT_NAME_CHARS } })
      .optional()
      .describe("Or its name; exactly one of the two."),
  })
  .meta({ id: "ExperimentSyncRequest" });

/** The body of what is about an experiment. */
export const whichExperiment = {
  description: "Which experiment: exactly one of the two.",
  schema,
  examples: {
    id: { summary: "By MLflow's id", value: { experiment_id: MLFLOW_EXPERIMENT } },
    name: { summary: "By name", value: { experiment_name: "two-moons" } },
  },
};

/** Which experiment a request is about: by MLflow's id, or by name. */
export type AskedExperiment = { experimentId: string } | { experimentName: string };

/**
 * The one experiment that a body names.
 * @throws HttpFailure invalid_request if it names none, or names it in both ways
 */
export function oneExperiment(body: z.output<typeof schema>): AskedExperiment {
  const { experiment_id: id, experiment_name: name } = body;
  if (id !== undefined && name === undefined) return { experimentId: id };
  if (id === undefined && name !== undefined) return { experimentName: name };
  const asked = { experiment_id: id ?? null, experiment_name: name ?? null };
  throw refusal([invalid(["body"], EXACTLY_ONE, asked)]);
}
