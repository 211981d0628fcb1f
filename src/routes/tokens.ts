import { Hono } from "hono";
import * as z from "zod";
import { invalid, missing } from "../domain/problems.ts";
import { HELD_RULE, isHeld } from "../domain/text.ts";
import { SCOPES } from "../domain/words.ts";
import { createToken, listTokens, revokeToken } from "../store/tokens.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readJsonObject } from "./json-body.ts";
import { found, readQuery, refusal } from "./query.ts";

const MAX_NAME_CHARS = 100;
const NAME_RULE = `must be a text of 1 to ${MAX_NAME_CHARS} characters`;
const SCOPES_RULE = `must be a list of one or more of ${SCOPES.join(", ")}`;
const EXPIRY_RULE = "must be an ISO 8601 time with a zone, in the future (2027-01-31T12:00:00Z)";

function tokenRequest(now: number) {
  return z.strictObject({
    name: z
      .string(NAME_RULE)
      .trim()
      .min(1, NAME_RULE)
      .max(MAX_NAME_CHARS, NAME_RULE)
      .refine(isHeld, HELD_RULE),
    scopes: z.array(z.enum(SCOPES, SCOPES_RULE), SCOPES_RULE).min(1, SCOPES_RULE),
    expires_at: z.iso
      .datetime({ offset: true, error: EXPIRY_RULE })
      .transform((time) => Date.parse(time))
      .refine((time) => time > now, EXPIRY_RULE)
      .nullable()
      .default(null),
  });
}

/** `/api/ops/tokens`: the API tokens. A token's text is in the answer that made it and nowhere else. */
export const tokens = new Hono<AppEnv>()
  .use(requireScope("admin"))
  .post("/", async (c) => {
    const { db, now } = c.var.relay;
    const { name, scopes, expires_at } = readTokenRequest(await readJsonObject(c), now());
    const unique = SCOPES.filter((scope) => scopes.includes(scope));
    return c.json(await createToken(db, { name, scopes: unique, expiresAt: expires_at }, now()), 201);
  })
  .get("/", async (c) => {
    readQuery(c, {});
    return c.json({ tokens: await listTokens(c.var.relay.db) });
  })
  .delete("/:id", async (c) => {
    const { db, now } = c.var.relay;
    const id = c.req.param("id");
    return c.json(found(await revokeToken(db, id, now()), `token ${id}`));
  });

function readTokenRequest(body: Record<string, unknown>, now: number) {
  const parsed = tokenRequest(now).safeParse(body);
  if (parsed.success) return parsed.data;
  throw refusal(
    parsed.error.issues.flatMap((issue) => {
      if (issue.code === "unrecognized_keys")
        return issue.keys.map((key) => invalid([key], "is not a field of a token", body[key]));
      const [name] = issue.path;
      const value = body[String(name)];
      return [value === undefined ? missing(String(name)) : invalid([String(name)], issue.message, value)];
    }),
  );
}
