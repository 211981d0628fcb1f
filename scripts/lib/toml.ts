const TABLE = /^\s*\[/;
const EMPTY_ID = /^(\s*database_id\s*=\s*)(?:"\s*"|'\s*')/;

/**
 * Writes a database's id below its name in the text of a wrangler.toml, or where an empty one stands beside it, and leaves
 * every other character as it is.
 * @throws Error if that name is not there exactly once
 */
export function withDatabaseId(toml: string, databaseName: string, id: string): string {
  const lines = toml.split("\n");
  const named = lines.flatMap((line, i) => {
    const [, name] = /^\s*database_name\s*=\s*["']([^"']*)["']/.exec(line) ?? [];
    return name === databaseName ? [i] : [];
  });
  const [at] = named;
  if (at === undefined || named.length > 1)
    throw new Error(
      `wrangler.toml names the database ${databaseName} ${named.length} times, and must once. Add database_id = "${id}" by hand.`,
    );
  const from = lines.findLastIndex((line, i) => i < at && TABLE.test(line));
  const next = lines.findIndex((line, i) => i > at && TABLE.test(line));
  const upto = next < 0 ? lines.length : next;
  const empty = lines.findIndex((line, i) => i > from && i < upto && EMPTY_ID.test(line));
  if (empty >= 0) return lines.with(empty, lines[empty]?.replace(EMPTY_ID, `$1"${id}"`) ?? "").join("\n");
  return lines.toSpliced(at + 1, 0, `database_id = "${id}"`).join("\n");
}
