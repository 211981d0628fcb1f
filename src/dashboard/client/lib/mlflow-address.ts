/**
 * MLflow's own pages are addressed behind a `#`, which no server is told: `/#/experiments/7/runs/4f0c...` is what its
 * client prints at the end of a run.
 */

const ADDRESS = /^#\/experiments\/([^/?]+)(?:\/runs\/([^/?]+))?/;

/** The page here for what stands behind the `#` of such an address, or null. */
export function pageFor(hash: string): string | null {
  const [, experiment, run] = ADDRESS.exec(hash) ?? [];
  if (run !== undefined) return `/runs/${run}`;
  return experiment === undefined ? null : `/experiments/${experiment}`;
}

/**
 * Opens it, or keeps it for after signing in: a browser takes what is behind the `#` along when it is sent there. Who is
 * at `/` already and gives such an address stays on the page, for all that the browser does.
 */
export function followMlflowAddress(): void {
  follow();
  addEventListener("hashchange", follow);
}

function follow(): void {
  const target = pageFor(location.hash);
  if (target === null) return;
  if (location.pathname === "/") location.replace(target);
  const next = document.querySelector<HTMLInputElement>("form[action='/sign-in'] input[name=next]");
  if (next) next.value = target;
}
