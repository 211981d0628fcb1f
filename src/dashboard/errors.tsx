import type { Context } from "hono";
import { type Failure, problemBody, problemResponse } from "../errors.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { framed } from "./page.tsx";

/** Whether a failure should be a page: a browser that opens an address says so itself. */
export function wantsPage(c: Context<AppEnv>): boolean {
  return c.req.method !== "OPTIONS" && (c.req.header("accept") ?? "").includes("text/html");
}

/** A failure as a page, with the headers of the answer that a client would have had. */
export async function failurePage(c: Context<AppEnv>, failure: Failure): Promise<Response> {
  const again = "retryAfterSeconds" in failure && c.req.method === "GET" ? addressOf(c.req.url) : null;
  const { title, detail, status, errors = [] } = problemBody(failure);
  for (const [name, value] of problemResponse(failure, c.var.requestId).headers)
    if (name !== "content-type") c.header(name, value);
  return framed(c, async () => {
    const { body, headers } = await c.render(
      <div class="card failure">
        <p class="status">{status}</p>
        <h1>{title}</h1>
        {errors.length > 1 ? (
          <ul>
            {errors.map(({ field, rule }) => (
              <li>
                <code>{field}</code> {rule}
              </li>
            ))}
          </ul>
        ) : (
          <p>{detail}</p>
        )}
        {again !== null && (
          <p>
            <a class="button primary" href={again}>
              Try again
            </a>
          </p>
        )}
        <p class="hint">
          <a href="/">All model runs</a> · request <code>{c.var.requestId}</code>
        </p>
      </div>,
      { title },
    );
    return new Response(body, { status, headers });
  });
}

function addressOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname.replace(/^\/+/, "/") + search;
}
