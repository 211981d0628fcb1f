/**
 * Writes a database's id below its name in the text of a wrangler.toml, and leaves every other character as it is.
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
  return lines.toSpliced(at + 1, 0, `database_id = "${id}"`).join("\n");
}
