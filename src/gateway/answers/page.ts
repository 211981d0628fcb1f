/**
 * A page of an answer under its name, as MLflow writes it: an empty list is left out.
 * @param next the offset of the page that follows, null where there is none
 */
export function pageAnswer(name: string, items: readonly object[], next: number | null) {
  return {
    ...(items.length === 0 ? {} : { [name]: items }),
    ...(next === null ? {} : { next_page_token: pageToken(next) }),
  };
}

/** The token of the page that begins at an offset: base64 of what Python's `json.dumps` makes of it. */
export function pageToken(offset: number): string {
  return btoa(`{"offset": ${offset}}`);
}
