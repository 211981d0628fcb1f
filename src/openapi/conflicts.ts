import * as z from "zod";
import { CONFLICT_KINDS, CONFLICT_STATES } from "../domain/words.ts";
import { MAX_RESOLVED } from "../relay/resolve.ts";
import { component } from "./components.ts";
import { STUDY, TRIAL, TRIAL_KEY } from "./examples.ts";
import type { Resource } from "./operation.ts";
import { count, nextCursor, owner, paging, pathText, textFilter, wordFilter } from "./parts.ts";
import { conflictFields } from "./trial-answers.ts";

const conflict = component("Conflict", z.object({ ...conflictFields, ...owner }));

const conflictList = component(
  "ConflictList",
  z.object({ conflicts: z.array(conflict), next_cursor: nextCursor }),
);

const take = z
  .enum(["relay", "mlflow"])
  .describe("Whose value becomes the truth on both sides. A parameter or a run stays what it is in MLflow.");

const one = component("ConflictResolution", z.object({ take }));

const text = z.string().min(1).optional();

const bulk = component(
  "ConflictResolutions",
  z.object({
    take,
    filter: z
      .object({
        kind: z.enum(CONFLICT_KINDS).optional(),
        model_run_id: text,
        trial_id: text,
        ids: z.array(z.int().min(1)).min(1).max(MAX_RESOLVED).optional().describe("Numbers of conflicts."),
        all: z.literal(true).optional().describe("In place of any other filter."),
      })
      .describe("Which open conflicts; at least one filter, or `all`."),
    dry_run: z.boolean().optional().describe("Say which would be resolved, and resolve none."),
  }),
);

const brief = { id: z.int(), kind: z.enum(CONFLICT_KINDS), field: z.string(), ...owner };

const resolved = component(
  "ConflictsResolved",
  z.object({
    take,
    dry_run: z.boolean(),
    matching: count.describe("How many open conflicts match."),
    done: z.array(z.object(brief)).describe("What was, or would be, resolved by this request."),
    not_done: z.array(z.object({ ...brief, reason: z.string() })).describe("What cannot be, and why."),
    left: count.describe(`How many match that this request did not come to: it takes up to ${MAX_RESOLVED}.`),
  }),
);

const OWNER = { trial: TRIAL_KEY, trial_id: TRIAL, model_run_id: STUDY };
const id = pathText("id", "The conflict's number.", "1");

/** `/api/ops/conflicts`: what both sides said differently. */
export const conflictsResource: Resource = {
  name: "Conflicts",
  description: "What was said twice and differently, by trainers or on both sides, and settling it by hand.",
  operations: {
    "GET /api/ops/conflicts": {
      id: "listConflicts",
      summary: "List conflicts",
      description: "Newest first.",
      scope: "read",
      parameters: [
        { ...wordFilter("state", "Open or resolved; without it both.", CONFLICT_STATES), example: "open" },
        wordFilter("kind", "What it is about.", CONFLICT_KINDS),
        textFilter("model_run_id", "The trainer's id of the model run."),
        textFilter("trial_id", "The trainer's id of the trial."),
        ...paging,
      ],
      answers: { 200: { description: "A page of conflicts.", schema: conflictList } },
      refusals: [400],
    },
    "GET /api/ops/conflicts/{id}": {
      id: "getConflict",
      summary: "Read a conflict",
      scope: "read",
      parameters: [id],
      answers: { 200: { description: "The conflict.", schema: conflict } },
      refusals: [400, 404],
    },
    "POST /api/ops/conflicts/resolve": {
      id: "resolveConflicts",
      summary: "Resolve conflicts",
      description: "Takes one side's value for all open conflicts that match.",
      scope: "admin",
      body: {
        description: "Whose values, and of which conflicts.",
        contents: [
          {
            schema: bulk,
            examples: {
              dry: {
                summary: "A dry run",
                value: { take: "mlflow", filter: { model_run_id: STUDY, trial_id: TRIAL }, dry_run: true },
              },
            },
          },
        ],
      },
      answers: {
        200: {
          description: "What was done, what was not, and why.",
          schema: resolved,
          examples: {
            some: {
              summary: "One of two",
              value: {
                take: "relay",
                dry_run: false,
                matching: 2,
                done: [{ id: 7, kind: "name", field: "run_name", ...OWNER }],
                not_done: [
                  {
                    id: 3,
                    kind: "param",
                    field: "lr",
                    ...OWNER,
                    reason: "MLflow cannot change a parameter of a run.",
                  },
                ],
                left: 0,
              },
            },
          },
        },
      },
      refusals: [400, 503],
    },
    "POST /api/ops/conflicts/{id}/resolve": {
      id: "resolveConflict",
      summary: "Resolve a conflict",
      description:
        "The side that is taken becomes the truth, as an event in the journal, and MLflow is brought up to date with it. 409 says why it cannot be, or what was decided before.",
      scope: "admin",
      parameters: [id],
      body: {
        description: "Whose value.",
        contents: [{ schema: one, examples: { mlflow: { summary: "MLflow's", value: { take: "mlflow" } } } }],
      },
      answers: { 200: { description: "The conflict, resolved.", schema: conflict } },
      refusals: [400, 404, 409, 503],
    },
  },
};
