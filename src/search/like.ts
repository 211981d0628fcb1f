import { type SQL, sql } from "drizzle-orm";

/** D1's bound on the pattern of a LIKE or GLOB. */
const MAX_PATTERN_BYTES = 50;

const encoder = new TextEncoder();

/**
 * Whether a text fits a LIKE pattern, as MLflow's databases see it: `%` is any text and `_` any character, nothing
 * escapes them, and LIKE tells upper case from lower, which SQLite's own does not: its GLOB does.
 * @param value the text, used once
 */
export function like(value: SQL, pattern: string, ignoreCase: boolean): SQL {
  const text = ignoreCase ? sql`lower(${value})` : value;
  const lettered = ignoreCase ? pattern.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : pattern;
  const glob = lettered.replace(/[%_*?[]/g, (char) => GLOB[char] ?? char);
  return encoder.encode(glob).length <= MAX_PATTERN_BYTES
    ? sql`${text} glob ${glob}`
    : walked(text, lettered);
}

const GLOB: Record<string, string> = { "%": "*", _: "?", "*": "[*]", "?": "[?]", "[": "[[]" };

/**
 * The same for a pattern of any length. The pieces between the `%` are looked for one after the other, each as early
 * as it fits; the first stands at the beginning and the last at the end.
 */
function walked(text: SQL, pattern: string): SQL {
  const pieces = pattern.split("%").map(pieceOf);
  const last = sql.raw(String(pieces.length - 1));
  const end = sql.raw(pieces.length === 1 ? "=" : ">=");
  // To where its first part comes next; null, and so nowhere, if it does not.
  const further = sql`iif(lead is null, at + 1, at + nullif(instr(substr(text, at + 1 + lead), lead_text), 0))`;
  return sql`exists (
    with recursive
      -- Or it would be read anew at every step.
      whole(text) as materialized (select ${text}),
      piece(n, size, parts, lead, lead_text) as (
        select key, value ->> 'size', value -> 'parts', value ->> '$.lead.offset', value ->> '$.lead.text'
        from json_each(${JSON.stringify(pieces)})),
      walk(n, at) as (
        select 0, 1
        union all
        select iif(${fitsAt(sql`at`)}, walk.n + 1, walk.n), iif(${fitsAt(sql`at`)}, at + size, ${further})
        from walk join piece on piece.n = walk.n, whole
        where walk.n < ${last} and at + size <= length(text) + 1 and (walk.n > 0 or ${fitsAt(sql`at`)}))
    select 1 from walk join piece on piece.n = walk.n, whole
    where walk.n = ${last} and length(text) - size + 1 ${end} at and ${fitsAt(sql`length(text) - size + 1`)})`;
}

function fitsAt(place: SQL): SQL {
  const shown = sql`substr(text, ${place} + (part.value ->> 'offset'), part.value ->> 'size')`;
  return sql`not exists (select 1 from json_each(parts) part
    where iif(part.value ->> 'glob' is null, ${shown} <> part.value ->> 'text', not ${shown} glob (part.value ->> 'glob')))`;
}

/**
 * How many characters it takes, the first text in it, by which a place for it is looked for, and what it says, each part with its
 * place: as a whole where it has no `_`, else in pieces that D1 takes as a GLOB, of which each saves looking at many letters.
 */
type Piece = { size: number; lead: Literal | null; parts: (Literal | Globbed)[] };
type Literal = { offset: number; size: number; text: string };
type Globbed = { offset: number; size: number; glob: string };

function pieceOf(piece: string): Piece {
  const chars = [...piece];
  const size = chars.length;
  const from = chars.findIndex((char) => char !== "_");
  if (from < 0) return { size, lead: null, parts: [] };
  const text = chars.slice(from).join("").split("_")[0] ?? "";
  const lead = { offset: from, size: [...text].length, text };
  return { size, lead, parts: lead.size === size ? [lead] : globsOf(chars) };
}

function globsOf(chars: readonly string[]): Globbed[] {
  const globs: Globbed[] = [];
  for (const [offset, char] of chars.entries()) {
    const glob = GLOB[char] ?? char;
    const last = globs.at(-1);
    if (last && encoder.encode(last.glob + glob).length <= MAX_PATTERN_BYTES) {
      last.glob += glob;
      last.size++;
    } else {
      globs.push({ offset, size: 1, glob });
    }
  }
  return globs;
}
