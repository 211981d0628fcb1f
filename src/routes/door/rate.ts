import { errorText, type Log } from "../../log.ts";

/** Whether a key is within its rate. A limiter that fails limits nothing: it is there for kindness, not for truth. */
export async function isWithinRate(limiter: RateLimit, key: string, log: Log): Promise<boolean> {
  try {
    return (await limiter.limit({ key })).success;
  } catch (error) {
    log.warn("a rate could not be looked at", { error: errorText(error) });
    return true;
  }
}
