import type { Context } from "hono";
import { HttpFailure } from "../../errors.ts";
import { errorText, type Log } from "../../log.ts";
import { remembered } from "../../remembered.ts";
import type { AppEnv } from "./context.ts";

/** An address that has used up what strangers may ask is not counted again for so long. */
const CLOSED_MS = 10_000;
const MAX_CLOSED = 1_000;
/** The part of an IPv6 address that one customer has. */
const IPV6_GROUPS = 4;

const closed = remembered(() => new Map<string, number>());

/** Whether a key is within its rate. A limiter that fails limits nothing: it is there for kindness, not for truth. */
export async function isUnderRate(limiter: RateLimit, key: string, log: Log): Promise<boolean> {
  try {
    return (await limiter.limit({ key })).success;
  } catch (error) {
    log.warn("a rate could not be looked at", { error: errorText(error) });
    return true;
  }
}

/**
 * Refuses an address that has lately sent too much without a valid token, before anything is looked up for it.
 * @throws HttpFailure rate_limited
 */
export function refuseClosed(c: Context<AppEnv>): void {
  if ((closed.value.get(addressOf(c)) ?? 0) > c.var.relay.now()) throw tooOften();
}

/**
 * Counts a request without a valid token.
 * @throws HttpFailure rate_limited when its address has sent too many
 */
export async function countStranger(c: Context<AppEnv>): Promise<void> {
  refuseClosed(c);
  const address = addressOf(c);
  if (await isUnderRate(c.env.STRANGER_LIMIT, address, c.var.relay.log)) return;
  const closedUntil = closed.value;
  closedUntil.delete(address);
  closedUntil.set(address, c.var.relay.now() + CLOSED_MS);
  const [oldest] = closedUntil.keys();
  if (closedUntil.size > MAX_CLOSED && oldest !== undefined) closedUntil.delete(oldest);
  throw tooOften();
}

function tooOften(): HttpFailure {
  return new HttpFailure({
    kind: "rate_limited",
    detail: "Too many requests without a valid token came from this address.",
    retryAfterSeconds: CLOSED_MS / 1000,
  });
}

/** Whom the request comes from, as Cloudflare says; of IPv6 the network, since its owner has all of it. */
function addressOf(c: Context<AppEnv>): string {
  const ip = c.req.header("cf-connecting-ip") ?? "local";
  if (!ip.includes(":")) return ip;
  const [front = "", back] = ip.split("::");
  const groups = front === "" ? [] : front.split(":");
  const missing = back === undefined ? 0 : IPV6_GROUPS - groups.length;
  return [...groups, ...Array(Math.max(0, missing)).fill("0")].slice(0, IPV6_GROUPS).join(":");
}
