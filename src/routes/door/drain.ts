/** Reads what is left of a request: a client that is cut off in sending never hears why, and sends it all again. */
export async function drain({ body }: Request): Promise<void> {
  if (body === null || body.locked) return;
  try {
    for await (const _ of body);
  } catch {
    // The client has gone.
  }
}
