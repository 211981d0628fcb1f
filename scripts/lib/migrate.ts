/** Runs wrangler in this terminal, or so that it asks nothing and its output is read. */
export type Wrangler = {
  here: (args: string[]) => Promise<number>;
  heard: (args: string[]) => Promise<{ code: number; output: string }>;
};

/**
 * Applies what a database lacks of the migrations.
 * @param chosen names the environment to wrangler
 * @returns the exit code of wrangler
 * @throws Error if some are left: to whoever answers its question with no, wrangler ends as if all were done
 */
export async function migrate(
  { here, heard }: Wrangler,
  database: string,
  chosen: readonly string[],
): Promise<number> {
  const migrations = (what: string) => ["d1", "migrations", what, database, "--remote", ...chosen];
  const code = await here(migrations("apply"));
  if (code !== 0) return code;
  const left = await heard(migrations("list"));
  if (left.code === 0 && left.output.includes("No migrations to apply")) return 0;
  throw new Error(
    left.code === 0
      ? `- The database ${database} lacks migrations, and the Worker needs them: it was not deployed.`
      : `- Whether the database ${database} has all migrations cannot be told:\n${left.output.trim()}`,
  );
}
