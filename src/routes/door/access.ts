import type { HonoJsonWebKey } from "hono/utils/jwt/jws";
import { verifyWithJwks } from "hono/utils/jwt/jwt";
import * as z from "zod";
import { SCOPES, type Scope } from "../../domain/words.ts";
import type { Caller } from "./token-cache.ts";

/**
 * Cloudflare Access before the relay: it signs who has passed it, and its keys are public
 * (developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json).
 */

/** The header in which it says so. */
export const ACCESS_HEADER = "cf-access-jwt-assertion";

export type AccessSettings = {
  /** `https://<team>.cloudflareaccess.com` */
  issuer: string;
  /** The application's tag: of other applications of the same team the assertion is worth nothing here. */
  audience: string;
  /** What everybody may who has passed. */
  scope: Scope;
};

/** Keys are asked for again after so long, and for a new one sooner, but not more often than the shorter. */
const KEYS_MS = 3_600_000;
const SOONEST_MS = 60_000;
/** So long those that it gave last are good while it does not give them: they are changed every few weeks. */
const OUTAGE_TRUST_MS = 86_400_000;
const TIMEOUT_MS = 3_000;

const keySet = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), kty: z.string(), n: z.string(), e: z.string() })),
});
const claims = z.object({ sub: z.string().min(1), exp: z.number() });

/** `at`: when they were given; `askedAt`: when they were last asked for, also in vain. */
type Known = { issuer: string; keys: HonoJsonWebKey[]; at: number; askedAt: number };

/** Who passed Access, by its assertions. One for all of an isolate's requests. */
export class Access {
  readonly #fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly #now: () => number;
  #known: Known | null = null;

  constructor(effects: { fetch: (url: string, init: RequestInit) => Promise<Response>; now: () => number }) {
    this.#fetch = effects.fetch;
    this.#now = effects.now;
  }

  /**
   * The caller whom an assertion names; null where it is not of this application, over, or not signed by Access.
   * @throws when Access does not give its keys
   */
  async callerOf(assertion: string, { issuer, audience, scope }: AccessSettings): Promise<Caller | null> {
    const keys = await this.#keysFor(issuer, kidOf(assertion));
    try {
      const verification = { iss: issuer, aud: audience };
      const said = claims.parse(
        await verifyWithJwks(assertion, { keys, allowedAlgorithms: ["RS256"], verification }),
      );
      const scopes = scope === "admin" ? SCOPES : [scope];
      return { tokenId: `access:${said.sub}`, scopes };
    } catch {
      return null;
    }
  }

  async #keysFor(issuer: string, kid: string | null): Promise<HonoJsonWebKey[]> {
    const now = this.#now();
    const known = this.#known;
    const age = known?.issuer === issuer ? now - known.at : Number.POSITIVE_INFINITY;
    if (known === null || age >= OUTAGE_TRUST_MS) return this.#ask(issuer);
    const isKnown = known.keys.some((key) => key.kid === kid);
    if (now - known.askedAt < SOONEST_MS || (isKnown && age < KEYS_MS)) return known.keys;
    try {
      return await this.#ask(issuer);
    } catch (error) {
      known.askedAt = this.#now();
      if (isKnown) return known.keys;
      throw error;
    }
  }

  async #ask(issuer: string): Promise<HonoJsonWebKey[]> {
    const response = await this.#fetch(`${issuer}/cdn-cgi/access/certs`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { keys } = keySet.parse(await response.json());
    const at = this.#now();
    this.#known = { issuer, keys, at, askedAt: at };
    return keys;
  }
}

function kidOf(assertion: string): string | null {
  try {
    const [header = ""] = assertion.split(".");
    const { kid } = z
      .object({ kid: z.string() })
      .parse(JSON.parse(atob(header.replaceAll("-", "+").replaceAll("_", "/"))));
    return kid;
  } catch {
    return null;
  }
}
