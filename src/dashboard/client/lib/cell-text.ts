import { type Cell, numberIn } from "../../../domain/cell-order.ts";
import { shortNumber } from "../../parts/number.ts";
import { duration } from "../../parts/time.tsx";
import type { Aggregate } from "./aggregate.ts";

/** Cells in words. */

const MAX_TITLE_CHARS = 1_000;
const MAX_DIGITS = 8;
const MEAN_DIGITS = 4;
const DEVIATION_DIGITS = 2;

function timeText(iso: string): string {
  const at = new Date(iso);
  const two = (part: number) => String(part).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** What a cell of a column says. */
export function cellText(column: string, cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "boolean") return cell ? "on" : "off";
  if (column === "duration_ms" && typeof cell === "number") return duration(cell);
  if ((column === "started_at" || column === "ended_at") && typeof cell === "string") return timeText(cell);
  if (typeof cell === "number") return shortNumber(cell);
  const number = numberIn(cell);
  // A parameter's text has all digits of a double; what is whole, such as a seed, stays as it is.
  if (cell.length > MAX_DIGITS && Number.isFinite(number) && !/^[+-]?\d+$/.test(cell.trim()))
    return shortNumber(number);
  return cell.replace(/^(-?)Infinity$/, "$1∞");
}

/** What a group comes to in a column: its mean, and how far its values are from it. */
export function aggregateText(column: string, { mean, std, count }: Aggregate): string {
  const text = cellText(column, rounded(mean, MEAN_DIGITS));
  return std === null || std === 0 || count < 2
    ? text
    : `${text} ± ${cellText(column, rounded(std, DEVIATION_DIGITS))}`;
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

/** The whole of it, for who wants to know. */
export function titleOf(column: string, value: Cell | Aggregate): string | undefined {
  if (value === null) return undefined;
  if (typeof value !== "object") return String(value).slice(0, MAX_TITLE_CHARS);
  const { count, mean, min, max, std } = value;
  return `mean ${mean}, from ${min} to ${max}${std === null ? "" : `, standard deviation ${std}`}, of ${count} (${column})`;
}
