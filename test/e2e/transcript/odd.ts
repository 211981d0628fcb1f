import { type Ask, post } from "./ask.ts";

/** A field's type, by which it is decided what is odd for it. */
type Type = "text" | "name" | "whole" | "double" | "list";

/** Beside nothing, null and an empty text: values of other types, of which MLflow spoils some. */
const ODD: Record<Type, readonly unknown[]> = {
  text: [5, 1.5, true, [], {}],
  name: ["BOGUS", "", 9, 1.5, true, [], {}],
  whole: ["x", "7", "7.0", "7.5", " 7", "1_0", 7.0, 1.5, true, [], {}, 1e300, "9223372036854775808"],
  double: ["x", "1.5", " 1e-3 ", "1_0", "nan", "NaN", "inf", "-Infinity", "1e400", true, [], {}],
  list: [5, "x", {}, [5], ["x"], [null], [[]]],
};
/** What JSON has no way to say but as text: MLflow reads these, and goes on with zeros. */
const BARE = ["NaN", "Infinity", "-Infinity", "1e400", "12345678901234567890"];

/** A request with each of its fields missing, empty, and of other types. */
export function oddly(
  path: string,
  base: Readonly<Record<string, unknown>>,
  types: Readonly<Record<string, Type>>,
): Ask[] {
  return Object.entries(types).flatMap(([name, type]) => {
    const { [name]: _, ...without } = base;
    const withValue = (value: unknown) => post(path, { ...base, [name]: value });
    const bare = type === "whole" || type === "double" ? BARE : [];
    return [
      post(path, without),
      withValue(null),
      { ...withValue(""), ...(type === "text" ? {} : { spoils: true }) },
      ...ODD[type].map((value): Ask => ({ ...withValue(value), spoils: true })),
      ...bare.map(
        (word): Ask => ({ ...post(path, bareIn({ ...without, [name]: "<bare>" }, word)), spoils: true }),
      ),
    ];
  });
}

function bareIn(body: object, word: string): string {
  return JSON.stringify(body).replace('"<bare>"', word);
}

/** Keys that MLflow takes and keys that it refuses. */
export const KEYS: readonly string[] = [
  "a",
  "é/ a.b-c:d_1",
  "日本",
  "k".repeat(250),
  "k".repeat(251),
  "a*",
  "a,b",
  "a@",
  "a\nb",
  "a\u2028",
  "🙂",
  "/a",
  "a/",
  "a//b",
  "./a",
  "a/./b",
  "a/../b",
  "../a",
  "..a",
  "..",
  ".",
  "//",
  "//a",
  "a/..",
  " ",
  ":",
];
