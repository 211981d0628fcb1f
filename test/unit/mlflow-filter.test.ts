import { expect, test } from "vitest";
import { tagEquals } from "../../src/mlflow/filter.ts";

test.each<[string, string, string | null]>([
  ["relay.nonce", "abc", "tags.`relay.nonce` = 'abc'"],
  ["a`b", "x", "tags.\"a`b\" = 'x'"],
  ["k", "it's", 'tags.`k` = "it\'s"'],
  ["k", 'say "x"', "tags.`k` = 'say \"x\"'"],
  ["k", "a\\b", "tags.`k` = 'a\\b'"],
  ["k", "", "tags.`k` = ''"],
  ["k", "both ' and \"", null],
  ["k", "ends\\", null],
  ['a`"b', "x", null],
])("%s = %s", (key, value, expected) => {
  expect(tagEquals(key, value)).toBe(expected);
});
