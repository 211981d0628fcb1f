import { generateKeyPairSync } from "node:crypto";
import { sign } from "hono/utils/jwt/jwt";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { Access, type AccessSettings } from "../../src/routes/door/access.ts";

const SETTINGS: AccessSettings = {
  issuer: "https://team.cloudflareaccess.com",
  audience: "a".repeat(64),
  scope: "read",
};

const jwkOf = z.looseObject({ kty: z.string(), n: z.string(), e: z.string() });

function keyPair(kid: string) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const [own, shown] = [privateKey, publicKey].map((key) => jwkOf.parse(key.export({ format: "jwk" })));
  if (!own || !shown) throw new Error("no key was made");
  return { own: { ...own, kid, alg: "RS256" as const }, shown: { ...shown, kid } };
}

type Pair = ReturnType<typeof keyPair>;
const [first, second] = [keyPair("first"), keyPair("second")];
const seconds = () => Math.floor(Date.now() / 1000);

function assertion(more: object = {}, key: Pair = first): Promise<string> {
  const all = {
    iss: SETTINGS.issuer,
    aud: [SETTINGS.audience],
    sub: "somebody",
    iat: seconds(),
    exp: seconds() + 600,
  };
  return sign({ ...all, ...more }, key.own, "RS256");
}

/** Access, its keys as they are published now, a clock, and what it was asked for. */
function world(keys: Pair[] = [first]) {
  const asked: string[] = [];
  const now = { ms: Date.now() };
  const published: { keys: Pair[] | null } = { keys };
  const access = new Access({
    fetch: async (url) => {
      asked.push(url);
      if (published.keys === null) throw new Error("away");
      return Response.json({ keys: published.keys.map(({ shown }) => shown) });
    },
    now: () => now.ms,
  });
  return { access, asked, now, published };
}

describe("who passed Cloudflare Access", () => {
  it("may what the setting says, by a name that is nobody's address", async () => {
    const { access, asked } = world();
    expect(await access.callerOf(await assertion(), SETTINGS)).toEqual({
      tokenId: "access:somebody",
      scopes: ["read"],
    });
    const caller = await access.callerOf(await assertion(), { ...SETTINGS, scope: "admin" });
    expect(caller?.scopes).toEqual(["ingest", "read", "admin"]);
    expect(asked).toEqual(["https://team.cloudflareaccess.com/cdn-cgi/access/certs"]);
  });

  it.each([
    ["another application's", () => assertion({ aud: ["b".repeat(64)] })],
    ["another team's", () => assertion({ iss: "https://other.cloudflareaccess.com" })],
    ["over", () => assertion({ exp: seconds() - 1 })],
    ["without an end", () => assertion({ exp: undefined })],
    ["without a subject", () => assertion({ sub: undefined })],
    ["of a service that says nobody", () => assertion({ sub: "" })],
    [
      "signed by somebody else under a known name",
      async () => assertion({}, { ...second, own: { ...second.own, kid: "first" } }),
    ],
    ["signed by an unknown key", () => assertion({}, second)],
    ["unsigned", async () => `${btoa('{"alg":"none","kid":"first"}')}.${btoa('{"sub":"x"}')}.`],
    [
      "signed with the public key as a secret",
      () => sign({ sub: "x", aud: SETTINGS.audience }, String(first.shown.n), "HS256"),
    ],
    ["no assertion", async () => "nonsense"],
  ])("is nobody by an assertion that is %s", async (_, make) => {
    expect(await world().access.callerOf(await make(), SETTINGS)).toBeNull();
  });

  it("is known after the keys were changed, which are not asked for more than once a minute", async () => {
    const { access, asked, now, published } = world();
    await access.callerOf(await assertion(), SETTINGS);
    published.keys = [second];
    expect(await access.callerOf(await assertion({}, second), SETTINGS)).toBeNull();
    now.ms += 60_000;
    expect(await access.callerOf(await assertion({}, second), SETTINGS)).not.toBeNull();
    for (let i = 0; i < 5; i++) await access.callerOf(await assertion({}, first), SETTINGS);
    expect(asked).toHaveLength(2);
    now.ms += 3_600_000;
    await access.callerOf(await assertion({}, second), SETTINGS);
    expect(asked).toHaveLength(3);
  });

  it("is known for a day while Access does not give its keys, and it is not asked for them every time", async () => {
    const { access, asked, now, published } = world();
    await access.callerOf(await assertion(), SETTINGS);
    published.keys = null;
    now.ms += 3_600_000;
    for (let i = 0; i < 5; i++) expect(await access.callerOf(await assertion(), SETTINGS)).not.toBeNull();
    expect(asked).toHaveLength(2);
    now.ms += 60_000;
    await expect(access.callerOf(await assertion({}, second), SETTINGS)).rejects.toThrow("away");
    now.ms += 86_400_000;
    for (let i = 0; i < 2; i++)
      await expect(access.callerOf(await assertion(), SETTINGS)).rejects.toThrow("away");
    published.keys = [first];
    expect(await access.callerOf(await assertion(), SETTINGS)).not.toBeNull();
  });
});
