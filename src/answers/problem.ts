import * as z from "zod";
import { count } from "./parts.ts";

/** The body of a refusal: the original's fields (success, error, details) and RFC 9457's, in one. */
export const problem = z
  .object({
    success: z.literal(false),
    error: z.string().describe("The kind of the problem, for programs."),
    details: z.union([z.string(), z.array(z.string())]),
    type: z.string().describe("`urn:trial-relay:problem:<error>`"),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe("What is wrong, for people."),
    errors: z
      .array(
        z.object({
          index: count.exactOptional().describe("Which event of the request."),
          field: z.string(),
          rule: z.string(),
          value: z.string().exactOptional().describe("What the field held, cut short."),
          missing: z.literal(true).exactOptional(),
        }),
      )
      .exactOptional()
      .describe("Each problem once, the first hundred."),
    more_errors: count.exactOptional().describe("How many more problems there were."),
    received: z.string().exactOptional().describe("The event type that is not known, cut short."),
    request_id: z.string().exactOptional().describe("Finds the request in the log."),
  })
  .meta({ id: "Problem" });

export type ProblemBody = z.output<typeof problem>;
