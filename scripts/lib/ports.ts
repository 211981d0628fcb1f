import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const RELEASE_LIMIT_MS = 2_000;

/** Says whether a server could listen on 127.0.0.1 at this port. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, "listening").then(() => true);
  server.listen(port, "127.0.0.1");
  const free = await listening.catch(() => false);
  await new Promise((done) => server.close(done));
  return free;
}

/** Waits a moment for the port, which a server that was killed just now still holds; rejects if it stays in use. */
export async function portReleased(port: number): Promise<void> {
  const deadline = Date.now() + RELEASE_LIMIT_MS;
  while (!(await isPortFree(port))) {
    if (Date.now() > deadline) throw new Error(`port ${port} on 127.0.0.1 is in use`);
    await sleep(50);
  }
}
