const EVERY_MS = 500;

/**
 * Calls `act` once this process has lost the one that started it, however that ended. npm that is killed passes nothing
 * on; whoever starts node by themselves may well leave it running.
 */
export function onceOrphaned(act: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    act();
  }, EVERY_MS);
  watch.unref();
}
