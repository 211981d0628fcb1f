import type { Token, TokenType } from "./tokens.ts";

/** What can stand on either side of a comparator. `end` is the index of the first token behind it. */
export type Operand = {
  type: "identifier" | "text" | "number" | "list" | "null" | "operation";
  text: string;
  end: number;
};

const NAMES: readonly TokenType[] = ["name", "word", "symbol"];
const PARTS: readonly TokenType[] = ["name", "word", "symbol", "text"];

/** The operand at a token; null if none begins there. Names in an operation (`val-loss`) are no key without quotes. */
export function operandAt(tokens: readonly Token[], start: number): Operand | null {
  const first = simpleOperandAt(tokens, start);
  if (!first) return null;
  let { end } = first;
  for (;;) {
    const at = skipSpace(tokens, end);
    const next = tokens[at]?.type === "operator" ? simpleOperandAt(tokens, skipSpace(tokens, at + 1)) : null;
    if (!next) break;
    end = next.end;
  }
  return end === first.end ? first : { type: "operation", text: textOf(tokens, start, end), end };
}

/** The index of the first token from `at` on that is no space. */
export function skipSpace(tokens: readonly Token[], at: number): number {
  return tokens[at]?.type === "space" ? at + 1 : at;
}

function simpleOperandAt(tokens: readonly Token[], start: number): Operand | null {
  const token = tokens[start];
  if (!token) return null;
  if (token.type === "word" && token.text.toUpperCase() === "NULL")
    return { type: "null", text: token.text, end: start + 1 };
  if (NAMES.includes(token.type)) return identifierAt(tokens, start);
  if (token.type === "text" || token.type === "number")
    return { type: token.type, text: token.text, end: start + 1 };
  return token.text === "(" ? listAt(tokens, start) : null;
}

/** Names joined by dots, as they stand, with a direction behind them: `metrics.a.b`, `tags."a b" DESC`. */
function identifierAt(tokens: readonly Token[], start: number): Operand {
  let end = start + 1;
  for (;;) {
    const dot = skipSpace(tokens, end);
    if (tokens[dot]?.text !== ".") break;
    const part = skipSpace(tokens, dot + 1);
    end = PARTS.includes(tokens[part]?.type ?? "other") ? part + 1 : dot + 1;
  }
  for (;;) {
    const order = skipSpace(tokens, end);
    if (tokens[order]?.type !== "order") break;
    end = order + 1;
  }
  return { type: "identifier", text: textOf(tokens, start, end), end };
}

function listAt(tokens: readonly Token[], start: number): Operand | null {
  let depth = 0;
  for (let at = start; at < tokens.length; at++) {
    if (tokens[at]?.text === "(") depth++;
    if (tokens[at]?.text === ")" && --depth === 0)
      return { type: "list", text: textOf(tokens, start, at + 1), end: at + 1 };
  }
  return null;
}

function textOf(tokens: readonly Token[], start: number, end: number): string {
  return tokens
    .slice(start, end)
    .map((token) => token.text)
    .join("");
}
