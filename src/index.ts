import { app } from "./app.ts";
import { consume } from "./relay/consume.ts";
import { consumeDead } from "./relay/consume-dead.ts";
import { reconcile } from "./relay/cron/pass.ts";
import type { RelayMessage } from "./relay/messages.ts";
import { wire } from "./wire.ts";

/**
 * Trial Relay. `fetch` keeps what trainers send, `queue` brings it to MLflow, `scheduled` finds whatever either of
 * them lost.
 */
export default {
  fetch: app.fetch,

  async queue(batch, env) {
    const deps = wire(env, { queue: batch.queue });
    return deps.config.deadLetterQueues.has(batch.queue)
      ? consumeDead(deps, batch.messages)
      : consume(deps, batch.messages);
  },

  async scheduled(_controller, env) {
    await reconcile(wire(env, { cron: true }));
  },
} satisfies ExportedHandler<Env, RelayMessage>;
