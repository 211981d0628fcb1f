import * as z from "zod";
import { maybeText } from "./parts.ts";

export const FOUND_KINDS = ["model_run", "trial", "experiment", "run"] as const;

/** Something that was looked for by its id or name. */
export const found = z
  .object({
    kind: z.enum(FOUND_KINDS),
    id: z.string().describe("The id by which the API has it."),
    name: z.string(),
    within: maybeText.describe("A trial's model run, or a run's experiment."),
  })
  .meta({ id: "Found" });
export type Found = z.output<typeof found>;
