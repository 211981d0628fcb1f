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
  const choice = wranglerArgs.find((arg) => /^(-[ec]|--(env|config)(=|$))/.test(arg));
  if (choice !== undefined)
    throw new Error(
      `- ${choice} is not handed on to wrangler: another environment would be deployed than was checked and migrated.`,
    );
}

/** Names the environment to wrangler, the top level too: without a name it would take the one in CLOUDFLARE_ENV. */
export function chosenEnv(env: string | null): string[] {
  return ["--env", env ?? ""];
}
