import { quoted } from "../domain/python.ts";
import type { Language } from "./language.ts";
import { type Operand, operandAt, skipSpace } from "./operands.ts";
import { SearchRefusal } from "./refusal.ts";
import { type Subject, subjectOf } from "./subject.ts";
import { type Token, tokenise } from "./tokens.ts";
import { comparedTo, type Value } from "./values.ts";

/**
 * One condition of a filter; all of them must hold. `value` is null with IS NULL and IS NOT NULL; `written`: as it
 * stands in the filter.
 */
export type Clause = { subject: Subject; comparator: string; value: Value | null; written: string };

/** Two parameters each; D1 takes 100 a statement. */
const MAX_CLAUSES = 30;

type Comparison = { left: Operand; comparator: string; right: Operand | null };

/**
 * The conditions of a filter, in MLflow's language: comparisons joined by AND. As with MLflow an AND that is missing
 * or one too many does no harm, and no filter is no condition. Comparators are checked apart.
 * @throws SearchRefusal with MLflow's words
 */
export function parseFilter(text: string, language: Language): Clause[] {
  if (text === "") return [];
  const tokens = tokenise(text);
  if (tokens.every((token) => token.type === "space"))
    throw new SearchRefusal(`Invalid filter '${text}'. Could not be parsed.`);
  const words = tokens.filter((token) => token.type !== "space");
  if (words.slice(0, -1).some((token) => token.text === ";"))
    throw new SearchRefusal(
      `Search filter contained multiple expression ${quoted(text)}. Provide AND-ed expression list.`,
    );
  const { comparisons, leftovers } = readComparisons(tokens);
  if (leftovers.length > 0) throw new SearchRefusal(language.says.leftOver(leftovers));
  if (comparisons.length > MAX_CLAUSES)
    throw new SearchRefusal(`A filter has at most ${MAX_CLAUSES} clauses. Got ${comparisons.length}.`);
  return comparisons.map((comparison) => clauseOf(comparison, language));
}

function clauseOf({ left, comparator, right }: Comparison, language: Language): Clause {
  if (left.type !== "identifier")
    throw new SearchRefusal(`Invalid comparison clause. Expected 'Identifier' found '${left.text}'`);
  const subject = subjectOf(left.text, language, language.attributes);
  if (right === null && !language.nullable.includes(subject.entity))
    throw new SearchRefusal(language.says.neverNull(subject));
  return {
    subject,
    comparator: language.ignoresCase ? comparator.toUpperCase() : comparator,
    value: right && comparedTo(subject, comparator, right, language.listed),
    written: right?.text ?? "",
  };
}

/** All that is a comparison, and all that is not. */
function readComparisons(tokens: readonly Token[]) {
  const comparisons: Comparison[] = [];
  const leftovers: string[] = [];
  let follows = false;
  for (let at: number = skipSpace(tokens, 0); at < tokens.length; at = skipSpace(tokens, at)) {
    const token = tokens[at];
    if (isWord(token, "AND")) {
      follows = false;
      at++;
      continue;
    }
    const left = operandAt(tokens, at);
    // A key right behind a comparison is taken for another name of it, as `x AS y` without the AS.
    const found: Found | null =
      left && (comparisonAt(tokens, left) ?? (follows ? null : keywordComparisonAt(tokens, left)));
    if (found) comparisons.push(found.comparison);
    else leftovers.push(left?.text ?? token?.text ?? "");
    follows = found !== null && found.comparison.right !== null;
    at = found ? found.end : left ? left.end : at + 1;
  }
  return { comparisons, leftovers };
}

type Found = { comparison: Comparison; end: number };

function comparisonAt(tokens: readonly Token[], left: Operand): Found | null {
  const at = skipSpace(tokens, left.end);
  const sign = tokens[at];
  if (sign?.type !== "comparator") return null;
  const right = operandAt(tokens, skipSpace(tokens, at + 1));
  return right && { comparison: { left, comparator: sign.text, right }, end: right.end };
}

/** `key IN (...)`, `key NOT IN (...)`, `key IS NULL`, `key IS NOT NULL`. */
function keywordComparisonAt(tokens: readonly Token[], left: Operand): Found | null {
  if (left.type !== "identifier") return null;
  const first = skipSpace(tokens, left.end);
  const second = skipSpace(tokens, first + 1);
  const negated = isWord(tokens[first], "NOT") && isWord(tokens[second], "IN");
  if (negated || isWord(tokens[first], "IN")) {
    const right = operandAt(tokens, negated ? skipSpace(tokens, second + 1) : second);
    const comparator = negated ? "NOT IN" : (tokens[first]?.text ?? "");
    return right?.type === "list" ? { comparison: { left, comparator, right }, end: right.end } : null;
  }
  if (!isWord(tokens[first], "IS")) return null;
  const isNull = isWord(tokens[second], "NULL");
  if (!isNull && !isWord(tokens[second], "NOT NULL")) return null;
  return {
    comparison: { left, comparator: isNull ? "IS NULL" : "IS NOT NULL", right: null },
    end: second + 1,
  };
}

function isWord(token: Token | undefined, word: string): boolean {
  return (token?.type === "keyword" || token?.type === "word") && token.text.toUpperCase() === word;
}
