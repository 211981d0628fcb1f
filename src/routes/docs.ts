import { Hono } from "hono";
import { openApiDocument } from "../openapi/document.ts";
import { docsPage } from "../openapi/page.tsx";
import { STYLE } from "../openapi/style.ts";
import { sha256 } from "../store/tokens.ts";
import type { AppEnv } from "./context.ts";

const CACHE = "public, max-age=300";

/** `/openapi.json`, and `/docs`, the same for people. Neither needs a token, nor anything from elsewhere. */
export const docs = new Hono<AppEnv>()
  .get("/openapi.json", (c) => c.json(openApiDocument(), 200, { "cache-control": CACHE }))
  .get("/docs", async (c) => {
    const policy = `default-src 'none'; style-src 'sha256-${(await sha256(STYLE)).toBase64()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
    c.header("content-security-policy", policy);
    c.header("cache-control", CACHE);
    return c.html(`<!doctype html>${await docsPage(openApiDocument(), new URL(c.req.url).origin)}`);
  });
