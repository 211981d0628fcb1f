import { unescaped } from "../domain/literal.ts";
import type { Operand } from "./operands.ts";
import { SearchRefusal } from "./refusal.ts";
import { type Subject, unquoted } from "./subject.ts";
import { trim } from "./trim.ts";

/** What a clause compares with: a number, a text, or the texts of a list. */
export type Value = number | string | readonly string[];

/**
 * The value on the right of a comparator. Metrics and times are numbers, without quotes; all else is text in single or
 * double quotes, which MLflow takes as it stands: a doubled or escaped quote in it stays doubled or escaped.
 * @param listed the attribute that is compared with lists
 * @throws SearchRefusal
 */
export function comparedTo(subject: Subject, comparator: string, operand: Operand, listed: string): Value {
  switch (subject.entity) {
    case "metric":
      if (operand.type === "number") return Number(operand.text);
      return refuse(`Expected numeric value type for metric. Found ${operand.text}`);
    case "parameter":
    case "tag":
      return (
        textIn(operand) ??
        refuse(
          `Expected a quoted string value for ${subject.entity} (e.g. 'my-value'). Got value ${operand.text}`,
        )
      );
    case "dataset":
      return (
        textIn(operand) ??
        listIn(comparator, operand) ??
        refuse(`Expected a quoted string value for dataset attributes. Got value ${operand.text}`)
      );
    case "attribute":
      return attributeValue(subject, comparator, operand, listed);
  }
}

function attributeValue(
  { key, attribute }: Extract<Subject, { entity: "attribute" }>,
  comparator: string,
  operand: Operand,
  listed: string,
): Value {
  if (attribute.type === "number") {
    if (operand.type !== "number")
      refuse(`Expected numeric value type for numeric attribute: ${key}. Found ${operand.text}`);
    return Number(operand.text);
  }
  if (operand.type === "list" && key !== listed)
    refuse(`Only ['${listed}'] attributes support comparison with a list of quoted string values.`);
  return (
    textIn(operand) ??
    listIn(comparator, operand) ??
    refuse(`Expected a quoted string value for attributes. Got value ${operand.text}`)
  );
}

function refuse(message: string): never {
  throw new SearchRefusal(message);
}

function textIn({ type, text }: Operand): string | null {
  if (type !== "text" && type !== "identifier") return null;
  const inner = unquoted(text, "'", '"');
  if (inner !== text) return inner;
  return refuse(
    `Parameter value is either not quoted or unidentified quote types used for string value ${text}. Use either single or double quotes.`,
  );
}

/** In its source Python takes fewer characters for spaces than in a text. */
const A_SPACE = /[ \t\f\r\n]/;
const BETWEEN_TEXTS = /[ \t\f\r\n]*(,?)[ \t\f\r\n]*/y;
const PYTHON_TEXT = /'((?:[^'\\\r\n]|\\[\s\S])*)'|"((?:[^"\\\r\n]|\\[\s\S])*)"/y;
const LIST_WORDS = "While parsing a list in the query,";

/**
 * The texts of a list, which MLflow reads as a tuple of Python's: escapes mean something, and texts without a comma
 * between them are one.
 */
function listIn(comparator: string, { type, text }: Operand): string[] | null {
  if (type !== "list" || !/IN$/i.test(comparator)) return null;
  const inner = trim(text.slice(1, -1), A_SPACE);
  if (inner === "")
    return refuse(`${LIST_WORDS} expected a non-empty list of string values, but got empty list`);
  const values: string[] = [];
  let joins = false;
  for (let at = 0; at < inner.length; ) {
    PYTHON_TEXT.lastIndex = at;
    const [found, single, double] = PYTHON_TEXT.exec(inner) ?? [];
    if (found === undefined)
      return refuse(`${LIST_WORDS} expected a non-empty list of string values, but got ill-formed list.`);
    const value = unescaped(single ?? double ?? "");
    values.push(joins ? `${values.pop() ?? ""}${value}` : value);
    BETWEEN_TEXTS.lastIndex = at + found.length;
    const [gap = "", comma] = BETWEEN_TEXTS.exec(inner) ?? [];
    joins = comma === "";
    at += found.length + gap.length;
  }
  return values;
}
