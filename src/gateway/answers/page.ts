import type { Place } from "../requests/page-token.ts";

/**
 * A page of an answer under its name, as MLflow writes it: an empty list is left out.
 * @param next the offset of the page that follows, null where there is none
 * @param last the last row of this one, where it is in an order that can be gone on with behind it
 */
export function pageAnswer(name: string, items: readonly object[], next: number | null, last?: Place) {
  return {
    ...(items.length === 0 ? {} : { [name]: items }),
    ...(next === null ? {} : { next_page_token: pageToken(next, last) }),
  };
}

/** While so few rows are passed over, a token is as MLflow's. */
const FEW = 1_000;

/**
 * The token of the page that begins at an offset: base64 of what Python's `json.dumps` makes of it. Behind many rows it
 * also has the one before, so that they need not be passed over one by one.
 */
export function pageToken(offset: number, last?: Place): string {
  const place = last && offset >= FEW ? `, "after": ${JSON.stringify([last.by, last.id])}` : "";
  return btoa(`{"offset": ${offset}${place.replace(/[^ -~]/g, escaped)}}`);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
