import { app } from "./app.ts";
import { ConfigError } from "./config.ts";
import { consoleLog } from "./log.ts";
import { consume } from "./relay/consume.ts";
import { consumeDead } from "./relay/consume-dead.ts";
import { reconcile } from "./relay/cron/pass.ts";
import type { Deps } from "./relay/deps.ts";
import type { RelayMessage } from "./relay/messages.ts";
import { putOff } from "./relay/put-off.ts";
import { wire } from "./wire.ts";

/**
 * Trial Relay. `fetch` keeps what trainers send, `queue` brings it to MLflow, `scheduled` finds whatever either of
 * them lost.
 */
export default {
  fetch: app.fetch,

  async queue(batch, env) {
    const deps = wiredFor(batch, env);
    if (deps === null) return putOff(batch.messages);
    return deps.config.deadLetterQueues.has(batch.queue)
      ? consumeDead(deps, batch.messages)
      : consume(deps, batch.messages);
  },

  async scheduled(_controller, env) {
    await reconcile(wire(env, { cron: true }));
  },
} satisfies ExportedHandler<Env, RelayMessage>;

/** The effects for a queue's batch; null, and said, where a setting is wrong. */
function wiredFor({ queue }: MessageBatch<RelayMessage>, env: Env): Deps | null {
  try {
    return wire(env, { queue });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    consoleLog({ queue }).error("a wrong setting: messages wait until it is mended", {
      error: error.message,
    });
    return null;
  }
}
