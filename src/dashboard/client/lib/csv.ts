import type { Cell } from "../../../domain/cell-order.ts";

/** What a spreadsheet would take for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$|^[+-]?(?:Infinity|inf)$/i;

/** A field of RFC 4180; text that a spreadsheet would reckon with has an apostrophe before it. */
export function csvField(cell: Cell): string {
  if (cell === null) return "";
  const text = String(cell);
  const safe = typeof cell === "string" && FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Rows as a CSV file, with the byte order mark by which spreadsheets know that it is UTF-8. */
export function csvOf(rows: Iterable<readonly Cell[]>): string {
  return `\ufeff${Array.from(rows, (row) => `${row.map(csvField).join(",")}\r\n`).join("")}`;
}
