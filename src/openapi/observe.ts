import * as z from "zod";
import { component } from "./components.ts";
import type { Resource } from "./operation.ts";
import { count, maybeText } from "./parts.ts";

const health = component("Health", z.object({ status: z.literal("ok") }));

const check = {
  state: z.enum(["ok", "down"]),
  last_error: maybeText.optional().describe("Only for a token with the scope `read`."),
};

const ready = component(
  "Ready",
  z.object({
    status: z.enum(["ready", "degraded", "unavailable"]),
    database: z.object(check),
    queue: z.object({ ...check, backlog: count.nullable().describe("Messages in it.") }),
    mlflow: z.object({
      ...check,
      state: z.enum(["ok", "down", "off"]),
      tracking_uri: z.string().optional().describe("Likewise."),
      breaker: z.enum(["closed", "open"]),
      alarm: z.boolean().describe("Whether it looks like a wrong configuration."),
    }),
  }),
);

const exposition = component("Exposition", z.string().describe("Prometheus' text format, version 0.0.4."));
const openApi = component(
  "OpenApi",
  z.looseObject({ openapi: z.literal("3.1.1") }).describe("This document."),
);
const page = component("Page", z.string().describe("A page to read."));

/** What needs no token, and the metrics. */
export const observeResource: Resource = {
  name: "Health and documents",
  description: "How the relay fares, and what it can do.",
  operations: {
    "GET /health": {
      id: "getHealth",
      summary: "The Worker runs",
      scope: null,
      answers: { 200: { description: "It runs.", schema: health } },
    },
    "GET /ready": {
      id: "getReady",
      summary: "Database, queue and MLflow, each with its state",
      description: "With a token of the scope `read` also the last errors and MLflow's address.",
      scope: null,
      answers: {
        200: { description: "Events can be kept.", schema: ready },
        503: {
          description: "No event can be kept: neither in the database nor in the queue.",
          schema: ready,
        },
      },
    },
    "GET /metrics": {
      id: "getMetrics",
      summary: "Figures for Prometheus",
      description: "Give Prometheus a token with the scope `read` as `authorization.credentials`.",
      scope: "read",
      answers: {
        200: {
          description: "The figures, each with its HELP.",
          type: "text/plain; version=0.0.4; charset=utf-8",
          schema: exposition,
        },
      },
      refusals: [400],
    },
    "GET /openapi.json": {
      id: "getOpenApi",
      summary: "This document",
      scope: null,
      answers: { 200: { description: "OpenAPI 3.1.", schema: openApi } },
    },
    "GET /docs": {
      id: "getDocs",
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
  },
};
