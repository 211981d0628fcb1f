/** What Cloudflare lets through of a request at most: here nobody is waited for who never stops. */
const MAX_DRAINED_BYTES = 500_000_000;

/** Reads what is left of a request: a client that is cut off in sending never hears why, and sends it all again. */
export async function drain({ body }: Request): Promise<void> {
  if (body === null || body.locked) return;
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > MAX_DRAINED_BYTES) return;
    }
  } catch {
    // The client has gone.
  }
}
