import fc from "fast-check";
import * as z from "zod";

/** Runs that are hard to search, and searches of them. */

/** When the first of them starts, in epoch milliseconds. */
export const AT = Date.UTC(2026, 0, 1);

const TEXTS = [
  "",
  "a",
  "A",
  "50%",
  "5_0",
  "50",
  "ü",
  "Ü",
  "it's",
  'say "x"',
  "a\\b",
  "[x]",
  "*",
  "0.1",
  "0.10",
  "line\nbreak",
];
const LONG = [
  "a text of more than fifty bytes, as they are found in notes",
  "A TEXT of more than 50 bytes_ as they are found in notes",
];
const KEYS = ["k", "K", "key two", "a.b"];
const NUMBERS = [0, -0.5, 0.1, 1, 1e300, "NaN", "Infinity", "-Infinity"];

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const texts = fc.record(
  Object.fromEntries(KEYS.map((key) => [key, maybe(fc.constantFrom(...TEXTS, ...LONG))])),
);
const numbers = fc.record(Object.fromEntries(KEYS.map((key) => [key, maybe(fc.constantFrom(...NUMBERS))])));
export const aRun = fc.record({
  name: fc.constantFrom("run", "Run", "run_1", "run%", "ü"),
  start: fc.integer({ min: AT, max: AT + 20 }),
  status: fc.constantFrom("RUNNING", "FINISHED", "FAILED"),
  params: texts,
  tags: texts,
  metrics: numbers,
});

export type SearchedRun = typeof aRun extends fc.Arbitrary<infer T> ? T : never;

/** A text in quotes that it does not hold; a backslash at the end would swallow them. */
const quoted = (text: string) => (text.includes("'") ? `"${text}"` : `'${text}'`);
const key = fc.constantFrom(...KEYS).map((name) => `\`${name}\``);
const ofText = fc.oneof(
  fc.tuple(fc.constantFrom("params.", "tags."), key).map((parts) => parts.join("")),
  fc.constantFrom("status", "attributes.run_name", "user_id"),
);
const pattern = fc.constantFrom(
  ...TEXTS,
  ...["%", "_", "5%", "%0", "_0%", "%i_'s%", "a%b", "[%", "%Ü%", "run\\_1", "F%", "%\n%", "r_n", "%U%"],
  ...LONG.map((text) => `%${text.slice(2).replaceAll("e", "_")}`),
  ...LONG.map((text) => `${text.replace("more", "%")}%`),
);
const metric = key.map((name) => `metrics.${name}`);
const sign = fc.constantFrom("=", "!=", "<", "<=", ">", ">=");
const number = fc.constantFrom(
  "0",
  "0.1",
  "-.5",
  "1",
  "1e300",
  "1e308",
  "1e400",
  "-1e400",
  "1.7976931348623157e308",
);
const clause = fc.oneof(
  fc.tuple(
    ofText,
    fc.constantFrom("=", "!="),
    fc.constantFrom(...TEXTS, ...LONG, "FAILED", "run").map(quoted),
  ),
  fc.tuple(ofText, fc.constantFrom("LIKE", "ILIKE"), pattern.filter((p) => !p.includes('"')).map(quoted)),
  fc.tuple(metric, sign, number),
  fc.tuple(fc.constantFrom("start_time", "created"), sign, fc.integer({ min: AT, max: AT + 20 }).map(String)),
  fc
    .tuple(fc.constantFrom("params.", "tags."), key, fc.constantFrom(" IS NULL", " IS NOT NULL"))
    .map((parts) => [parts.join("")]),
);
const filter = fc
  .array(
    clause.map((parts) => parts.join(" ")),
    { minLength: 1, maxLength: 3 },
  )
  .map((clauses) => clauses.join(" AND "));
const term = fc
  .tuple(
    fc.oneof(metric, ofText, fc.constantFrom("start_time", "end_time", "run_id", "Created")),
    fc.constantFrom("", " ASC", " DESC"),
  )
  .map((parts) => parts.join(""));
/** A filter and an order; either may be missing. */
export const aSearch = fc.record({ filter: fc.oneof(filter, fc.constant("")), order: maybe(term) });

/** Posts a body to an endpoint such as `runs/create`, and gives back the answer. */
export type Post = (endpoint: string, body: object) => Promise<unknown>;

const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const given = <T>(record: Record<string, T | undefined>) =>
  Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));

/** Makes the run as any client of MLflow does. */
export async function makeRun(post: Post, experiment_id: string, run: SearchedRun): Promise<void> {
  const { name, start, status, params, tags, metrics } = run;
  const made = await post("runs/create", {
    experiment_id,
    start_time: start,
    run_name: name,
    user_id: "ann",
  });
  const { run_id } = created.parse(made).run.info;
  await post("runs/log-batch", {
    run_id,
    params: given(params),
    tags: given(tags),
    metrics: given(metrics).map((point) => ({ ...point, timestamp: AT, step: 0 })),
  });
  await post("runs/update", { run_id, status, ...(status === "RUNNING" ? {} : { end_time: start + 5 }) });
}
