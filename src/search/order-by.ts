import type { Language } from "./language.ts";
import { operandAt, skipSpace } from "./operands.ts";
import { SearchRefusal } from "./refusal.ts";
import { type Subject, subjectOf } from "./subject.ts";
import { SPACE, tokenise } from "./tokens.ts";
import { trim } from "./trim.ts";

/** What a list is sorted by. */
export type Term = { subject: Subject; descending: boolean };

/** A parameter each; D1 takes 100 a statement. */
const MAX_TERMS = 10;

/**
 * The terms of `order_by`, each a key with ASC or DESC behind it or not.
 * @throws SearchRefusal with MLflow's words
 */
export function parseOrderBy(clauses: readonly string[], language: Language): Term[] {
  if (clauses.length > MAX_TERMS)
    throw new SearchRefusal(`order_by has at most ${MAX_TERMS} clauses. Got ${clauses.length}.`);
  const terms = clauses.map((clause) => parseTerm(clause, language));
  const fields = new Set(terms.map(({ subject }) => JSON.stringify([subject.entity, nameOf(subject)])));
  const fault = fields.size < terms.length ? language.says.repeated(clauses) : null;
  if (fault !== null) throw new SearchRefusal(fault);
  return terms;
}

const A_SPACE = new RegExp(SPACE, "u");

function parseTerm(clause: string, language: Language): Term {
  const unreadable = `Invalid order_by clause '${clause}'. Could not be parsed.`;
  const tokens = tokenise(clause);
  const key = operandAt(tokens, 0);
  const alias = key && key.end < tokens.length ? operandAt(tokens, skipSpace(tokens, key.end)) : null;
  const end = alias?.end ?? key?.end;
  if (key?.type !== "identifier" || (alias && alias.type !== "identifier") || end !== tokens.length)
    throw new SearchRefusal(unreadable);
  const words = wordsOf(clause);
  if (words === null || words.length > 2) throw new SearchRefusal(unreadable);
  const [name = "", direction] = words;
  if (direction !== undefined && !/^(asc|desc)$/i.test(direction))
    throw new SearchRefusal(`Invalid ordering key in order_by clause '${clause}'.`);
  // Without its direction MLflow strips the key, also of spaces that were within its quotes.
  const subject = subjectOf(
    direction === undefined ? clause : trim(name, A_SPACE),
    language,
    language.sortable,
  );
  const fault = language.says.unsortable(subject);
  if (fault !== null) throw new SearchRefusal(fault);
  return { subject, descending: direction?.toLowerCase() === "desc" };
}

function nameOf(subject: Subject): string {
  return subject.entity === "attribute" ? subject.attribute.name : subject.key;
}

const WORD = /(?:[^ \t\r\n'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/g;
const QUOTED = /\\([\s\S])|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"/g;

/** The words of a clause as a shell would split it, backticks taken for double quotes; null with a quote left open. */
function wordsOf(clause: string): string[] | null {
  const line = clause.replaceAll("`", '"');
  if (/[^ \t\r\n]/.test(line.replace(WORD, ""))) return null;
  return (line.match(WORD) ?? []).map((word) =>
    word.replace(
      QUOTED,
      (_, escaped?: string, single?: string, double?: string) =>
        escaped ?? single ?? (double ?? "").replace(/\\(["\\])/g, "$1"),
    ),
  );
}

/** One text with commas between its clauses as the list of them. */
export function clausesOf(text: string): string[] {
  const clauses = [""];
  for (const token of tokenise(text)) {
    if (token.text === ",") clauses.push("");
    else clauses.push(`${clauses.pop() ?? ""}${token.text}`);
  }
  return clauses.map((clause) => clause.trim());
}
