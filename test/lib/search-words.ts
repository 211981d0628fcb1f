import fc from "fast-check";

/** Searches in MLflow's language and beside it: well formed ones, near misses, and soups of its words. */

const ATTRIBUTES = [
  ...["status", "run_name", "run_id", "user_id", "artifact_uri", "start_time", "end_time", "created"],
  ...["Created", '"Run Name"', "`run name`", "name", "experiment_id", "creation_time", "last_update_time"],
];
const KEYS = [
  "a",
  "b",
  "lr",
  "loss",
  "val_loss",
  "_x",
  "ü",
  "потеря",
  "select",
  "in",
  "like",
  "asc",
  "1st",
  "12th",
];
const TEXTS = [
  ...["val-loss", "a b", "it's", "50%", "x.y", "ünï", "", "a`b", 'a"b', "a(b)", "\\", "a\\", "AND", "a''b"],
  ...KEYS,
];
const NUMBERS = ["0", "1", "-1", "0.5", ".5", "5.", "-.5", "1e5", "1E-5", "1e400", "01", "1764000000000"];
const LISTS = ["('a')", "('a', \"b\")", "('a' , 'b',)", "('it''s')", "('a\\'b')", "('7','08')", "('a' 'b')"];
const SIGNS = ["=", "!=", ">", ">=", "<", "<="];
const LIKES = ["=", "!=", "LIKE", "ILIKE"];
const NULLS = ["IS NULL", "IS NOT NULL"];
const INS = ["IN", "NOT IN", "NOT  IN"];

const ODD_NAMES = [
  "Metrics.a",
  "metrics .a",
  '"tags".a',
  "nothing.a",
  "run_uuid",
  "lifecycle_stage",
  "metrics.",
  "a-b",
];
const ODD_SIGNS = ["like", "==", "<>", "NOT LIKE", "RLIKE", "~", "in", "is null", "IS NOT  NULL"];
const ODD_VALUES = [
  ...[
    "foo",
    "NULL",
    "params.b",
    '"x"."y"',
    "?",
    "'a' 'b'",
    "'open",
    "`tick`",
    "1 b",
    "a-b",
    "()",
    "(1)",
    "(a)",
  ],
  ...["('a'", "1e+5", "0x10", "1_0", "+1", "NaN", "1-1", "- 1"],
];
const SOUP = ["AND", "OR", "IS", "NOT", "NULL", "(", ")", ",", ";", ".", "DESC", "-", "*"];

const anyOf = (...words: string[][]) => fc.constantFrom(...words.flat());
const joined = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((all) => all.join(""));
const space = anyOf([" ", " ", " ", "  ", "\n"]);
const gap = anyOf([" ", " ", "", "\n"]);

/** Mostly a text that the quotes hold, sometimes one that breaks out of them. */
const quoted = (marks: string[]) =>
  fc
    .tuple(anyOf(marks), fc.oneof(anyOf(TEXTS), fc.string({ unit: "grapheme", maxLength: 4 })))
    .map(([mark, text]) => mark + text + mark);

const key = fc.oneof(anyOf(KEYS), quoted(["`", '"']));
const keyOf = (...prefixes: string[]) => joined(anyOf(prefixes), fc.constant("."), key);
const ofMetrics = keyOf("metrics", "metric", "`metrics`");
const ofTexts = keyOf("params", "parameter", "param", "tags", "tags", "tag");
const ofDatasets = joined(anyOf(["dataset.", "datasets."]), anyOf(["name", "digest", "context"]));
const attribute = joined(anyOf(["", "", "attributes.", "attribute.", "attr.", "run."]), anyOf(ATTRIBUTES));

const text = quoted(["'", '"']);
const fitting = fc.oneof(
  joined(ofMetrics, gap, anyOf(SIGNS), gap, anyOf(NUMBERS)),
  joined(ofTexts, space, anyOf(LIKES), gap, text),
  joined(ofTexts, space, anyOf(NULLS)),
  joined(fc.oneof(attribute, ofDatasets), space, anyOf(LIKES), gap, text),
  joined(attribute, gap, anyOf(SIGNS), gap, anyOf(NUMBERS)),
  joined(fc.oneof(anyOf(["run_id", "experiment_id"]), ofDatasets), space, anyOf(INS), gap, anyOf(LISTS)),
);

const IDS = ["'1'", "'007'", "' 1_0 '", "'-1'", "('1', \"2\")", "('1', 'x')", "'one'", "''"];
const ofExperiments = fc.oneof(
  joined(anyOf(["", "attribute."]), anyOf(["name", "`name`"]), space, anyOf(LIKES), gap, text),
  joined(anyOf(["experiment_id", "attribute.experiment_id"]), space, anyOf(LIKES, INS), gap, anyOf(IDS)),
  joined(anyOf(["creation_time", "last_update_time"]), gap, anyOf(SIGNS), gap, anyOf(NUMBERS)),
  joined(keyOf("tags", "tag"), space, anyOf(LIKES), gap, text),
  joined(keyOf("tags", "tag"), space, anyOf(NULLS)),
);
const identifier = fc.oneof(ofMetrics, ofTexts, attribute, ofDatasets, anyOf(ODD_NAMES));
const value = fc.oneof(text, quoted(["`"]), anyOf(NUMBERS), anyOf(LISTS), anyOf(ODD_VALUES));
const sign = anyOf(SIGNS, LIKES, NULLS, INS, ODD_SIGNS);
const nearMiss = joined(identifier, space, sign, gap, fc.oneof(value, fc.constant("")));
const soup = fc
  .array(fc.oneof(identifier, value, sign, anyOf(SOUP)), { maxLength: 7 })
  .map((words) => words.join(" "));

const clauses = (clause: fc.Arbitrary<string>, ands: string[]) =>
  fc
    .tuple(clause, fc.array(joined(anyOf(ands), clause), { maxLength: 3 }))
    .map(([first, more]) => first + more.join(""));

const filtersOf = (fitting: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 6, arbitrary: clauses(fitting, [" AND ", " and ", "\nAND ", " AND AND ", " "]) },
    { weight: 3, arbitrary: clauses(nearMiss, [" AND ", " "]) },
    { weight: 1, arbitrary: clauses(fitting, [" AND ", " OR ", ", ", "; "]) },
    { weight: 2, arbitrary: soup },
    { weight: 1, arbitrary: anyOf(["", " ", "AND", "\n"]) },
  );

const direction = anyOf(["", " ASC", " DESC", "  asc", "\tdesc"]);
const oddDirection = anyOf([" DSC", " ASC DESC", " DESC NULLS LAST", ", b", " ", " 'desc'", "- DESC"]);
const ordersBy = (fitting: fc.Arbitrary<string>) =>
  fc.array(
    fc.oneof(
      { weight: 6, arbitrary: joined(fitting, direction) },
      { weight: 1, arbitrary: joined(identifier, fc.oneof(direction, oddDirection)) },
    ),
    { maxLength: 2 },
  );

/** What is asked in searches of either, by what MLflow calls them. */
export const words = {
  runs: { filters: filtersOf(fitting), orders: ordersBy(fc.oneof(ofMetrics, ofTexts, attribute)) },
  experiments: {
    filters: filtersOf(ofExperiments),
    orders: ordersBy(anyOf(["name", "attribute.name", "experiment_id", "creation_time", "last_update_time"])),
  },
};
