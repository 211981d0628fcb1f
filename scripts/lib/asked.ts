/** Options that npm takes for its own where the `--` before them was forgotten: the script then never hears of them. */
const SWALLOWED = { npm_config_env: "--env", npm_config_dry_run: "--dry-run" };

/**
 * Refuses what would be done to another environment than the one that was asked for, or would be done where it was only
 * to be tried.
 * @param script its name for npm
 * @param environment of the process, where npm says what it took
 * @param wranglerArgs what is handed on to wrangler
 * @throws Error that says how it is asked for
 */
export function checkAsked(
  script: string,
  environment: Readonly<Record<string, string | undefined>>,
  wranglerArgs: readonly string[] = [],
): void {
  for (const [name, option] of Object.entries(SWALLOWED))
    if (environment[name])
      throw new Error(
        `- npm took ${option} for its own: put -- before it, as in npm run ${script} -- ${option}`,
      );
  const [first] = wranglerArgs;
  if (first !== undefined && !first.startsWith("-"))
    throw new Error(
      `- ${first} is no option. An environment is named as in npm run ${script} -- --env ${first}`,
    );
  // Wrangler would only try, after the database was migrated.
  if (wranglerArgs.some((arg) => /^--(dry-run|dryRun)(=|$)/.test(arg)))
    throw new Error(`- --dry-run is for this script: npm run ${script} -- --dry-run`);
  const choice = wranglerArgs.find((arg) => /^(-[ec]|--(env|config|cwd|name)(=|$))/.test(arg));
  if (choice !== undefined)
    throw new Error(
      `- ${choice} is not handed on to wrangler: another environment would be deployed than was checked and migrated.`,
    );
}

/**
 * Which environment is meant; null is the top level. Where there are others it must be named too, as "": of
 * `npm run deploy -e NAME`, the `--` forgotten, npm leaves nothing, not even in the process's environment.
 * @param named as it was asked for
 * @param environments those that wrangler.toml has
 * @throws Error that says how it is asked for
 */
export function environmentMeant(
  script: string,
  named: string | undefined,
  environments: readonly string[],
): string | null {
  if (named === undefined && environments.length > 0)
    throw new Error(
      `- wrangler.toml has environments (${environments.join(", ")}): name the one that is meant, as in npm run ${script} -- --env ${environments[0]}, or the top level by npm run ${script} -- --env ""`,
    );
  return named || null;
}

/** Names the environment to wrangler, the top level too: without a name it would take the one in CLOUDFLARE_ENV. */
export function chosenEnv(env: string | null): string[] {
  return ["--env", env ?? ""];
}
