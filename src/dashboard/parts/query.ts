/** The address of the same page with other parameters; null takes one away. */
export function withQuery(url: URL, changes: Readonly<Record<string, string | null>>): string {
  const query = new URLSearchParams(url.searchParams);
  for (const [name, value] of Object.entries(changes))
    if (value === null) query.delete(name);
    else query.set(name, value);
  const text = query.toString();
  return text === "" ? url.pathname : `${url.pathname}?${text}`;
}
