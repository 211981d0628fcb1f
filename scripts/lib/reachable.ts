import { withoutCredentials } from "../../src/config.ts";

/** Cloudflare's remedy for a server that has no public name. */
const REMEDY =
  "Give it a public host name; for a server in a private network, a Cloudflare Tunnel does that without opening it (docs/operators.md, “A private MLflow”).";

/** Names that no public DNS answers for (RFC 2606, 6761, 6762, 7686, 8375, 9476, ICANN's `.internal`, and customs). */
const PRIVATE_NAMES =
  /(^|\.)(localhost|localdomain|local|internal|private|lan|home|corp|intranet|test|example|invalid|onion|alt|home\.arpa)$/;

/**
 * Says why a deployed Worker cannot fetch an address, with the remedy; null if it can. A Worker goes by public names
 * only: an address in digits is refused by Cloudflare (error 1003) whether it is private or not.
 */
export function unreachable(uri: string): string | null {
  const shown = withoutCredentials(uri);
  if (!URL.canParse(uri)) return `${JSON.stringify(shown)} is not a URL.`;
  const { hostname, protocol } = new URL(uri);
  if (protocol !== "http:" && protocol !== "https:") return `${shown} is not an http or https address.`;
  const host = hostname.replace(/\.$/, "");
  // The URL parser writes every spelling of an IPv4 address (octal, one number) as four decimal parts.
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host) || host.startsWith("["))
    return `${shown} is an IP address, and a Worker can fetch host names only. ${REMEDY}`;
  if (host.split(".").includes("")) return `${host} is no host name.`;
  if (PRIVATE_NAMES.test(host) || !host.includes("."))
    return `${host} is a name within a private network, where Cloudflare cannot go. ${REMEDY}`;
  return null;
}
