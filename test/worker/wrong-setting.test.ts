import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import relay from "../../src/index.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
const MAX_RETRIES = 100;

const wrong = { ...env, MLFLOW_REQUEST_TIMEOUT: "soon" };

/** How long a message waits that is delivered for so many times, while a setting is wrong. */
async function waitOf(queue: string, attempts: number): Promise<number> {
  const [ack, retry] = [vi.fn<Message["ack"]>(), vi.fn<Message["retry"]>()];
  const body = { kind: "poke", streamId: 1 } as const;
  const message: Message<RelayMessage> = { id: "1", timestamp: new Date(), body, attempts, ack, retry };
  const metadata = { metrics: { backlogCount: 1, backlogBytes: 1 } };
  await relay.queue({ queue, messages: [message], metadata, ackAll: ack, retryAll: retry }, wrong);
  expect(ack).not.toHaveBeenCalled();
  expect(retry).toHaveBeenCalledOnce();
  return retry.mock.lastCall?.[0]?.delaySeconds ?? 0;
}

it.each(["trial-relay-trials", "trial-relay-trials-dlq"])(
  "with a wrong setting the messages of %s wait for days, and look every hour at least whether it is mended",
  async (queue) => {
    const waits: number[] = [];
    for (let attempts = 1; attempts <= MAX_RETRIES; attempts++) waits.push(await waitOf(queue, attempts));
    expect(Math.max(...waits)).toBeLessThanOrEqual(HOUR_SECONDS);
    expect(waits[0]).toBeLessThanOrEqual(60);
    expect(waits.reduce((a, b) => a + b, 0)).toBeGreaterThan(3 * DAY_SECONDS);
  },
);
