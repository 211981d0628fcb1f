import { expect, test } from "vitest";
import { keyProblem } from "../../src/domain/limits.ts";
import { isPythonWord } from "../../src/domain/python-word.ts";

test.each(["loss", "a_1", "ß", "é", "日本", "ⅷ", "²", "½", "ſ", "𝔸", "\u1c88", "a/b:c d-e.f", "Ω/损失"])(
  "%s is a name that MLflow takes",
  (key) => expect(keyProblem(key)).toBeNull(),
);

test.each([
  ["\u1c89", "a letter of Unicode 16"],
  ["x\u1c8a", "a letter of Unicode 16"],
  ["\u0870", "a letter of Unicode 14"],
  ["\u{31350}", "an ideograph of Unicode 15"],
  ["\u{2ebf0}", "an ideograph of Unicode 15.1"],
  ["\u{1e4f0}", "a digit of Unicode 15"],
  ["e\u0301", "a combining mark"],
  ["क्ष", "a virama"],
  ["a\u200db", "a joiner"],
  ["a\u00a0b", "another space"],
  ["a\uff0fb", "a wide slash"],
  ["\u{1f3c3}", "a symbol"],
  ["\ud800", "half a character"],
  ["a\0", "NUL"],
  ["loss\n", "a line feed"],
])("%j is not: %s", (key) => expect(keyProblem(key)).toContain("may only contain letters"));

test("the characters of names are Python 3.10's, and no more than this runtime knows", () => {
  const known = /^[\p{L}\p{N}_]$/u;
  let count = 0;
  for (let code = 0; code < 0x110000; code++) {
    const character = String.fromCodePoint(code);
    if (!isPythonWord(character)) continue;
    count++;
    if (!known.test(character)) expect(code.toString(16)).toBe("a character of this runtime's");
  }
  // len([c for c in map(chr, range(0x110000)) if re.match(r"\w", c)]) in Python 3.9 and 3.10
  expect(count).toBe(133_023);
});
