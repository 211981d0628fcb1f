import { Hono } from "hono";
import type { TokenRecord } from "../../../answers/ops.ts";
import { SCOPES } from "../../../domain/words.ts";
import type { AppEnv } from "../../../routes/door/context.ts";
import { listTokens } from "../../../store/ops/tokens.ts";
import { page } from "../../page.tsx";
import { Action } from "../../parts/action.tsx";
import { Badge } from "../../parts/badge.tsx";
import { Empty } from "../../parts/empty.tsx";
import { Time } from "../../parts/time.tsx";
import { Delivery, frameOf, List } from "./frame.tsx";

/** `/delivery/tokens`: who may do what. A token's text is shown once, to who makes it. */
export const tokensPage = new Hono<AppEnv>({ strict: false });

const MEANS = { ingest: "sends events", read: "reads", admin: "does everything" };

tokensPage.get("/tokens", page("admin"), async (c) => {
  const { db, now } = c.var.relay;
  const tokens = await listTokens(db);
  const title = "Tokens";
  return c.render(
    <Delivery at="/delivery/tokens" title={title}>
      <section class="panel">
        <h2>Make a token</h2>
        <Action to="POST /api/ops/tokens" label="Make it">
          <input
            type="text"
            name="name"
            required
            maxlength={100}
            placeholder="For whom or what"
            aria-label="For whom or what"
          />
          <fieldset>
            <legend class="unseen">What it may do</legend>
            {SCOPES.map((scope) => (
              <label>
                <input type="checkbox" name="scopes" value={scope} data-list checked={scope === "ingest"} />{" "}
                {scope} ({MEANS[scope]})
              </label>
            ))}
          </fieldset>
        </Action>
      </section>
      <div data-live>
        {tokens.length === 0 ? (
          <Empty title="No token but ADMIN_TOKEN">
            <p>
              Give each trainer one of its own: then it can be revoked alone, and refusals say whose they are.
            </p>
          </Empty>
        ) : (
          <List columns={["Name", "May", "State", "Made", "Expires", ""]}>
            {tokens.map((token) => (
              <TokenRow token={token} now={now()} />
            ))}
          </List>
        )}
      </div>
    </Delivery>,
    frameOf(title),
  );
});

function TokenRow({ token, now }: { token: TokenRecord; now: number }) {
  const isExpired = token.expires_at !== null && Date.parse(token.expires_at) <= now;
  const state = token.revoked_at !== null ? "revoked" : isExpired ? "expired" : "active";
  return (
    <tr>
      <th scope="row" title={token.id}>
        {token.name}
      </th>
      <td>{token.scopes.join(", ")}</td>
      <td>
        <Badge word={state} />
      </td>
      <td>
        <Time at={token.created_at} />
      </td>
      <td>
        <Time at={token.expires_at} />
      </td>
      <td>
        {state === "active" && (
          <Action
            to={`DELETE /api/ops/tokens/${token.id}`}
            label="Revoke"
            danger
            about={token.name}
            ask={`Whoever uses ${token.name} is refused from now on, for good.`}
          />
        )}
      </td>
    </tr>
  );
}
