const FIRST_RETRY_SECONDS = 15;
const MAX_RETRY_SECONDS = 3_600;

/**
 * Has messages come again, each later the more often it did: the tries of a queue must outlast whatever lasts, such as a
 * wrong setting, with which nothing can be done for any of them.
 */
export function putOff(messages: readonly Pick<Message, "attempts" | "retry">[]): void {
  for (const message of messages) message.retry({ delaySeconds: retrySeconds(message.attempts) });
}

function retrySeconds(attempts: number): number {
  return Math.min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** Math.min(attempts, 20));
}
