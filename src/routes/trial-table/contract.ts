import * as z from "zod";
import { trialColumns, trialTable } from "../../answers/trial-table.ts";
import {
  type Column,
  columnOf,
  KEYED_KINDS,
  type KeyedColumn,
  splitList,
  TABLE_FIELDS,
} from "../../domain/table-columns.ts";
import { MAX_TABLE_TRIALS } from "../../store/views/table.ts";
import { documented, ok, resource } from "../contract.ts";
import { maybe, someText, wholeNumber, wholeNumberOr, yesOrNo } from "../door/query.ts";
import { METRIC, STUDY } from "../examples.ts";

const MAX_KEYS = 200;
const MAX_ASKED_COLUMNS = 30;
/** A text may have some thousand characters. */
export const MAX_WHOLE_COLUMNS = 5;
const KEYED = KEYED_KINDS.map((kind) => `${kind}.<key>`).join(", ");
const SORT_RULE = `must be one of ${TABLE_FIELDS.join(", ")}, ${KEYED}, with - before it for descending`;
const COLUMNS_RULE = `must be at most ${MAX_ASKED_COLUMNS} of ${KEYED}, with commas between`;
const KEYS_RULE = `must be at most ${MAX_KEYS} public ids of trials, with commas between`;

const sort = z
  .string()
  .transform((text, context): { column: Column; descending: boolean } => {
    const descending = text.startsWith("-");
    const column = columnOf(descending ? text.slice(1) : text);
    if (column) return { column, descending };
    context.addIssue({ code: "custom", message: SORT_RULE });
    return z.NEVER;
  })
  .register(documented, { as: { type: "string" } });

const columns = z
  .string()
  .transform((text, context): KeyedColumn[] => {
    const asked = splitList(text).map(columnOf);
    const keyed = asked.flatMap((column) => (column && column.kind !== "field" ? [column] : []));
    if (keyed.length === asked.length && asked.length <= MAX_ASKED_COLUMNS) return keyed;
    context.addIssue({ code: "custom", message: COLUMNS_RULE });
    return z.NEVER;
  })
  .register(documented, { as: { type: "string" } });

const keys = z
  .string()
  .transform((text) => splitList(text))
  .refine((list) => list.length > 0 && list.length <= MAX_KEYS && list.every((key) => key !== ""), KEYS_RULE)
  .register(documented, { as: { type: "string" } });

/** Whose trials: one of the two is given. */
const scope = {
  model_run_id: maybe(someText, "All trials of this model run: give this or `trials`.", STUDY),
  trials: maybe(keys, `These trials, by their public ids with commas between, at most ${MAX_KEYS}.`),
};

/** `/api/trial-table`: many trials beside each other. */
export const trialTables = resource(
  "Trials side by side",
  "Many trials in columns, for tables and charts. Both answers have an `ETag`; with `If-None-Match` they are 304, and cost little, while nothing changed.",
  {
    getTrialTable: {
      at: "GET /api/trial-table",
      summary: "Read trials in columns",
      description: `Each list has a value for each trial, in the same order. At most the newest ${MAX_TABLE_TRIALS} that fit.`,
      scope: "read",
      query: {
        ...scope,
        filter: maybe(
          someText,
          "In MLflow's search language: attributes, metrics, params and tags, compared and joined by AND.",
          "metrics.loss < 0.5 AND params.lr = '0.001'",
        ),
        spectral_norm: maybe(yesOrNo, "Whether spectral normalisation is on."),
        sort: maybe(
          sort,
          `\`${TABLE_FIELDS.join("`, `")}\` or a column's name, with \`-\` before it for descending; without it the newest come first. What has no value comes last.`,
          `-metrics.${METRIC}`,
        ),
        columns: maybe(
          columns,
          `With commas between, at most ${MAX_ASKED_COLUMNS}: \`params.<key>\`, \`tags.<key>\`, \`metrics.<key>\` (last value), \`min.<key>\`, \`max.<key>\`, or \`best.<key>\`: the least value of a metric whose name speaks of loss or error, else the greatest. A comma or backslash within a key has a backslash before it.`,
          `params.lr,metrics.${METRIC}`,
        ),
        whole: maybe(
          yesOrNo,
          `Whether texts are whole, not cut to 200 characters: of \`trials\` only, and in at most ${MAX_WHOLE_COLUMNS} columns.`,
        ),
        limit: wholeNumberOr(MAX_TABLE_TRIALS, 1, MAX_TABLE_TRIALS).meta({
          description: "The most trials.",
          example: 100,
        }),
      },
      answers: ok("The trials.", trialTable),
      refusals: [404],
    },
    getTrialColumns: {
      at: "GET /api/trial-columns",
      summary: "List the columns of trials",
      description: "Which parameters, metrics and tags the trials have; those of most trials first.",
      scope: "read",
      query: {
        ...scope,
        newest: maybe(
          wholeNumber(1, MAX_TABLE_TRIALS),
          "Only so many trials of the model run, the newest, for the others: of many trials all columns are much to read.",
          100,
        ),
      },
      answers: ok("The columns.", trialColumns),
      refusals: [404],
    },
  },
);
