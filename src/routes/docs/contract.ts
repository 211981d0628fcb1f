import * as z from "zod";
import { ok, resource } from "../contract.ts";

const openApi = z
  .looseObject({ openapi: z.literal("3.1.1") })
  .meta({ id: "OpenApi", description: "This document." });
const page = z.string().meta({ id: "Page", description: "A page to read." });

/** `/openapi.json`, and `/docs`, the same for people. Neither needs a token, nor anything from elsewhere. */
export const docs = resource("Documents", "What the relay can do.", {
  getOpenApi: {
    at: "GET /openapi.json",
    summary: "This document",
    scope: null,
    answers: ok("OpenAPI 3.1.", openApi),
  },
  getDocs: {
    at: "GET /docs",
    summary: "This document as a page",
    scope: null,
    answers: {
      200: {
        description: "HTML that loads nothing from elsewhere.",
        type: "text/html; charset=UTF-8",
        schema: page,
      },
    },
  },
});
