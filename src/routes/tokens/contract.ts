import * as z from "zod";
import { token, tokenMade } from "../../answers/ops.ts";
import { HELD_RULE, isHeld } from "../../domain/text.ts";
import { SCOPES } from "../../domain/words.ts";
import { documented, ok, resource } from "../contract.ts";
import { TOKEN } from "../examples.ts";

const MAX_NAME_CHARS = 100;
const NAME_RULE = `must be a text of 1 to ${MAX_NAME_CHARS} characters`;
const SCOPES_RULE = `must be a list of one or more of ${SCOPES.join(", ")}`;
export const EXPIRY_RULE = "must be an ISO 8601 time with a zone, in the future (2027-01-31T12:00:00Z)";

const request = z
  .strictObject({
    name: z
      .string(NAME_RULE)
      .trim()
      .min(1, NAME_RULE)
      .max(MAX_NAME_CHARS, NAME_RULE)
      .refine(isHeld, HELD_RULE),
    scopes: z
      .array(z.enum(SCOPES, SCOPES_RULE), SCOPES_RULE)
      .min(1, SCOPES_RULE)
      .describe("`admin` includes the others."),
    expires_at: z.iso
      .datetime({ offset: true, error: EXPIRY_RULE })
      .register(documented, { as: { type: "string", format: "date-time" } })
      .nullable()
      .default(null)
      .describe("In the future; without it the token does not expire."),
  })
  .meta({ id: "TokenRequest" });

const tokenList = z.object({ tokens: z.array(token) }).meta({ id: "TokenList" });

/** `/api/ops/tokens`: who may do what. A token's text is in the answer that made it and nowhere else. */
export const tokens = resource(
  "Tokens",
  "API tokens and their scopes: `ingest` sends events, `read` reads, `admin` does everything.",
  {
    createToken: {
      at: "POST /api/ops/tokens",
      summary: "Make a token",
      scope: "admin",
      body: {
        description: "What the token may do.",
        schema: request,
        called: "a token",
        examples: { trainer: { summary: "For a trainer", value: { name: "cerebros", scopes: ["ingest"] } } },
      },
      answers: { 201: { description: "The token, with its text.", schema: tokenMade } },
    },
    listTokens: {
      at: "GET /api/ops/tokens",
      summary: "List tokens",
      scope: "admin",
      query: {},
      answers: ok("All tokens, newest first.", tokenList),
    },
    revokeToken: {
      at: "DELETE /api/ops/tokens/:id",
      summary: "Revoke a token",
      description: "For good; it ends within five seconds.",
      scope: "admin",
      path: { id: { description: "The token's id.", example: TOKEN } },
      answers: ok("The token, revoked.", token),
      refusals: [404],
    },
  },
);
