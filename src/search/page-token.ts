import { pythonText } from "../domain/python.ts";
import { pythonBytes, SearchRefusal } from "./refusal.ts";

/** MLflow's token of the page that begins so many rows behind the first: base64 of `{"offset": n}`. */
export function pageToken(offset: number): string {
  return btoa(`{"offset": ${offset}}`);
}

/**
 * How many rows are before the page that a token is of; 0 without one. As in MLflow what is no letter of base64's is
 * passed over, and the number may be a text.
 * @throws SearchRefusal with MLflow's words; also where it answers 500
 */
export function offsetOf(token: string): number {
  if (token === "") return 0;
  const bytes = decoded(token);
  const given = record(bytes);
  const { offset } = given;
  if (!offset) return refuse(`parsed value=${said(given)}`);
  const number = typeof offset === "string" ? wholeIn(offset) : Math.trunc(Number(offset));
  if (!Number.isSafeInteger(number)) return refuse(`not stringable ${said(offset)}`);
  return Math.max(0, number);
}

function decoded(token: string): Uint8Array {
  const letters = token.replace(/[^A-Za-z0-9+/=]/g, "");
  const [data = ""] = letters.split("=", 1);
  const padding = letters.length - data.length;
  if (data.length % 4 === 1 || padding < (4 - (data.length % 4)) % 4) refuse("could not base64-decode");
  return Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
}

function record(bytes: Uint8Array): Record<string, unknown> {
  const given = parsed(bytes);
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return { ...given };
  return refuse(`decoded value=${pythonBytes(bytes)}`);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return refuse(`decoded value=${pythonBytes(bytes)}`);
  }
}

function said(value: unknown): string {
  return pythonText(value, {}, "", new Map());
}

function wholeIn(text: string): number {
  return /^\s*[+-]?\d+(_\d+)*\s*$/.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
}

function refuse(message: string): never {
  throw new SearchRefusal(`Invalid page token, ${message}`);
}
