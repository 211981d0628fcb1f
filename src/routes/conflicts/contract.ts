import * as z from "zod";
import { count, nextCursor, owner } from "../../answers/parts.ts";
import { conflict } from "../../answers/trials.ts";
import { CONFLICT_KINDS, CONFLICT_STATES, SIDES } from "../../domain/words.ts";
import { MAX_RESOLVED } from "../../relay/repair/conflicts.ts";
import { ok, resource } from "../contract.ts";
import { dryRun } from "../door/json-body.ts";
import { maybe, oneOf, paging, someText } from "../door/query.ts";
import { STUDY, TRIAL, TRIAL_KEY } from "../examples.ts";

const filter = {
  kind: maybe(oneOf(CONFLICT_KINDS), "What it is about."),
  model_run_id: maybe(someText, "The trainer's id of the model run."),
  trial_id: maybe(someText, "The trainer's id of the trial."),
};

const IDS_RULE = `must be a list of 1 to ${MAX_RESOLVED} numbers of conflicts`;
const ids = z.array(z.int(IDS_RULE).min(1, IDS_RULE), IDS_RULE).min(1, IDS_RULE).max(MAX_RESOLVED, IDS_RULE);

const conflictList = z
  .object({ conflicts: z.array(conflict), next_cursor: nextCursor })
  .meta({ id: "ConflictList" });

const take = oneOf(SIDES).describe(
  "Whose value becomes the truth on both sides. A parameter or a run stays what it is in MLflow.",
);

const one = z.strictObject({ take }).meta({ id: "ConflictResolution" });

const bulk = z
  .strictObject({
    take,
    filter: z
      .strictObject(
        {
          ...filter,
          ids: ids.optional().describe("Numbers of conflicts."),
          all: z.literal(true, "must be true").optional().describe("In place of any other filter."),
        },
        "must be an object of filters",
      )
      .refine((given) => Object.keys(given).length > 0, "must name at least one filter, or all: true")
      .describe("Which open conflicts; at least one filter, or `all`."),
    dry_run: dryRun.describe("Say which would be resolved, and resolve none."),
  })
  .meta({ id: "ConflictResolutions" });

const brief = z.object({ id: z.int(), kind: z.enum(CONFLICT_KINDS), field: z.string(), ...owner.shape });
export type ConflictBrief = z.output<typeof brief>;

const resolved = z
  .object({
    take,
    dry_run: z.boolean(),
    matching: count.describe("How many open conflicts match."),
    done: z.array(brief).describe("What was, or would be, resolved by this request."),
    not_done: z.array(z.object({ ...brief.shape, reason: z.string() })).describe("What cannot be, and why."),
    left: count.describe(`How many match that this request did not come to: it takes up to ${MAX_RESOLVED}.`),
  })
  .meta({ id: "ConflictsResolved" });

const OWNER = { trial: TRIAL_KEY, trial_id: TRIAL, model_run_id: STUDY };
const ONE_OF_TWO = {
  take: "relay",
  dry_run: false,
  matching: 2,
  done: [{ id: 7, kind: "name", field: "run_name", ...OWNER }],
  not_done: [
    { id: 3, kind: "param", field: "lr", ...OWNER, reason: "MLflow cannot change a parameter of a run." },
  ],
  left: 0,
};
const DRY_RUN = { take: "mlflow", filter: { model_run_id: STUDY, trial_id: TRIAL }, dry_run: true };

const id = { id: { description: "The conflict's number.", example: "1" } };

/** `/api/ops/conflicts`: what both sides said differently. */
export const conflicts = resource(
  "Conflicts",
  "What was said twice and differently, by trainers or on both sides, and settling it by hand.",
  {
    listConflicts: {
      at: "GET /api/ops/conflicts",
      summary: "List conflicts",
      description: "Newest first.",
      scope: "read",
      query: {
        ...paging,
        ...filter,
        state: maybe(oneOf(CONFLICT_STATES), "Open or resolved; without it both.", "open"),
      },
      answers: ok("A page of conflicts.", conflictList),
    },
    getConflict: {
      at: "GET /api/ops/conflicts/:id",
      summary: "Read a conflict",
      scope: "read",
      path: id,
      query: {},
      answers: ok("The conflict.", conflict),
      refusals: [404],
    },
    resolveConflicts: {
      at: "POST /api/ops/conflicts/resolve",
      summary: "Resolve conflicts",
      description: "Takes one side's value for all open conflicts that match.",
      scope: "admin",
      body: {
        description: "Whose values, and of which conflicts.",
        schema: bulk,
        examples: { dry: { summary: "A dry run", value: DRY_RUN } },
      },
      answers: ok("What was done, what was not, and why.", resolved, {
        some: { summary: "One of two", value: ONE_OF_TWO },
      }),
    },
    resolveConflict: {
      at: "POST /api/ops/conflicts/:id/resolve",
      summary: "Resolve a conflict",
      description:
        "The side that is taken becomes the truth, as an event in the journal, and MLflow is brought up to date with it. 409 says why it cannot be, or what was decided before.",
      scope: "admin",
      path: id,
      body: {
        description: "Whose value.",
        schema: one,
        examples: { mlflow: { summary: "MLflow's", value: { take: "mlflow" } } },
      },
      answers: ok("The conflict, resolved.", conflict),
      refusals: [404, 409],
    },
  },
);
