import { invalid } from "../../domain/problems.ts";
import { SCOPES } from "../../domain/words.ts";
import { createToken, listTokens, revokeToken } from "../../store/ops/tokens.ts";
import { found, refusal } from "../door/query.ts";
import { routes } from "../route.ts";
import { EXPIRY_RULE, tokens } from "./contract.ts";

export const tokenRoutes = routes(tokens, {
  createToken: async ({ relay: { db, now }, readBody }) => {
    const { name, scopes, expires_at } = await readBody();
    const expiresAt = expires_at === null ? null : Date.parse(expires_at);
    if (expiresAt !== null && expiresAt <= now())
      throw refusal([invalid(["expires_at"], EXPIRY_RULE, expires_at)]);
    const unique = SCOPES.filter((scope) => scopes.includes(scope));
    return createToken(db, { name, scopes: unique, expiresAt }, now());
  },
  listTokens: async ({ relay }) => ({ tokens: await listTokens(relay.db) }),
  revokeToken: async ({ relay: { db, now }, path: { id } }) =>
    found(await revokeToken(db, id, now()), `token ${id}`),
});
