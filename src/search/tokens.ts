import { SearchRefusal } from "./refusal.ts";

/**
 * The words of a filter. MLflow reads filters with a general SQL lexer (sqlparse 0.6), so what is one word and what is
 * two follows its rules; those that no filter can use (comments, placeholders, casts) are `other` here.
 */
export type Token = { type: TokenType; text: string };
export type TokenType =
  | "space"
  /** In single quotes: a value. */
  | "text"
  /** In double quotes: a key or a value. */
  | "symbol"
  /** In backticks, or beside a dot: a part of a key whatever it says. */
  | "name"
  | "word"
  | "number"
  | "comparator"
  | "operator"
  | "order"
  | "keyword"
  | "other";

/** What Python takes for a space in a text. */
export const SPACE = String.raw`[\t-\r\x1c-\x20\x85\xa0\p{Z}]`;
const LETTER = "[A-ZÀ-Ü]";
const W = String.raw`[\p{L}\p{N}_]`;
const KEYWORDS = "CASE|IN|VALUES|USING|FROM|AS";
const AFTER_NUMBER = "(?![_A-ZÀ-Ü])";

/** In order: the first that fits is taken. */
const RULES: [TokenType, string][] = [
  ["space", `${SPACE}+`],
  ["name", "`(?:``|[^`])*`"],
  ["keyword", `(?:${KEYWORDS})(?!${W})`],
  ["name", String.raw`${LETTER}${W}*(?=\s*\.(?!\d))`],
  ["name", String.raw`(?<=\.)${LETTER}${W}*`],
  ["other", String.raw`-?0x[\dA-F]+`],
  ["number", String.raw`-?\d+(?:\.\d+)?E-?\d+`],
  ["number", String.raw`-?(?:\d+\.\d*|\.\d+)${AFTER_NUMBER}`],
  ["number", String.raw`-?\d+${AFTER_NUMBER}`],
  ["text", String.raw`'(?:''|\\'|[^'])*'`],
  ["symbol", String.raw`"(?:""|\\"|[^"])*"`],
  ["keyword", String.raw`NOT\s+NULL(?!${W})`],
  ["order", String.raw`(?:ASC|DESC)(?:\s+NULLS\s+(?:FIRST|LAST))?(?!${W})`],
  ["comparator", String.raw`(?:NOT\s+)?(?:LIKE|ILIKE|RLIKE|REGEXP)(?!${W})`],
  ["keyword", `(?:AND|OR|NOT|IS|PARAMETERS?)(?![$#]|${W})`],
  ["word", `${W}(?:[$#]|${W})*`],
  ["operator", "->>?|[+/@#%^&|*-]+"],
  ["comparator", "[<>=~!]+"],
  ["other", "."],
];
const MATCHERS = RULES.map(([type, rule]) => ({ type, matcher: new RegExp(rule, "isuy") }));

/** Far more than any client sends, a thousand run ids included; and it bounds what one search may cost. */
const MAX_CHARS = 100_000;
/** The same bound as MLflow's. */
const MAX_TOKENS = 10_000;

/** Every character of the text is in one token. */
export function tokenise(text: string): Token[] {
  if (text.length > MAX_CHARS)
    throw new SearchRefusal(`A filter or order_by clause has at most ${MAX_CHARS} characters.`);
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at);
    tokens.push(token);
    if (tokens.length > MAX_TOKENS) throw new SearchRefusal(`Error on parsing filter '${text}'`);
    at += token.text.length;
  }
  return tokens;
}

function tokenAt(text: string, at: number): Token {
  for (const { type, matcher } of MATCHERS) {
    matcher.lastIndex = at;
    const [found] = matcher.exec(text) ?? [];
    if (found) return { type, text: found };
  }
  // A line terminator or half a surrogate pair, which no rule takes.
  return { type: "other", text: text.charAt(at) };
}
