import { sha256 } from "../../store/ops/tokens.ts";
import { routes } from "../route.ts";
import { docs } from "./contract.ts";
import { openApiDocument } from "./document.ts";
import { docsPage } from "./page.tsx";
import { STYLE } from "./style.ts";

const CACHE = "public, max-age=300";

export const docsRoutes = routes(docs, {
  getOpenApi: async ({ c }) => {
    c.header("cache-control", CACHE);
    return openApiDocument();
  },
  getDocs: async ({ c }) => {
    const policy = `default-src 'none'; style-src 'sha256-${(await sha256(STYLE)).toBase64()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
    c.header("content-security-policy", policy);
    c.header("cache-control", CACHE);
    return c.html(`<!doctype html>${await docsPage(openApiDocument(), new URL(c.req.url).origin)}`);
  },
});
