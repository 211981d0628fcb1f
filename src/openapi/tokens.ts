import * as z from "zod";
import { SCOPES } from "../domain/words.ts";
import { component } from "./components.ts";
import { TOKEN } from "./examples.ts";
import type { Resource } from "./operation.ts";
import { maybeTime, pathText, time } from "./parts.ts";

const scopes = z.array(z.enum(SCOPES)).min(1);

const token = {
  id: z.string(),
  name: z.string(),
  scopes,
  created_at: time,
  expires_at: maybeTime,
  revoked_at: maybeTime,
};

const tokenRequest = component(
  "TokenRequest",
  z.object({
    name: z.string().min(1).max(100),
    scopes: scopes.describe("`admin` includes the others."),
    expires_at: maybeTime.optional().describe("In the future; without it the token does not expire."),
  }),
);

const listed = component("Token", z.object(token));
const created = component(
  "TokenMade",
  z.object({ ...token, token: z.string().describe("The token's text, which is shown only here.") }),
);
const list = component("TokenList", z.object({ tokens: z.array(listed) }));

/** `/api/ops/tokens`: who may do what. */
export const tokensResource: Resource = {
  name: "Tokens",
  description: "API tokens and their scopes: `ingest` sends events, `read` reads, `admin` does everything.",
  operations: {
    "POST /api/ops/tokens": {
      id: "createToken",
      summary: "Make a token",
      scope: "admin",
      body: {
        description: "What the token may do.",
        contents: [
          {
            schema: tokenRequest,
            examples: {
              trainer: { summary: "For a trainer", value: { name: "cerebros", scopes: ["ingest"] } },
            },
          },
        ],
      },
      answers: { 201: { description: "The token, with its text.", schema: created } },
      refusals: [400],
    },
    "GET /api/ops/tokens": {
      id: "listTokens",
      summary: "List tokens",
      scope: "admin",
      answers: { 200: { description: "All tokens, newest first.", schema: list } },
      refusals: [400],
    },
    "DELETE /api/ops/tokens/{id}": {
      id: "revokeToken",
      summary: "Revoke a token",
      description: "For good; it ends within five seconds.",
      scope: "admin",
      parameters: [pathText("id", "The token's id.", TOKEN)],
      answers: { 200: { description: "The token, revoked.", schema: listed } },
      refusals: [404],
    },
  },
};
