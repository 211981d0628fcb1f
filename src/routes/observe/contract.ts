import * as z from "zod";
import { count, maybeText } from "../../answers/parts.ts";
import { BREAKER_STATES } from "../../domain/words.ts";
import { ok, resource } from "../contract.ts";
import { PROMETHEUS_TYPE } from "./prometheus.ts";

const health = z.object({ status: z.literal("ok") }).meta({ id: "Health" });

const check = {
  state: z.enum(["ok", "down"]),
  last_error: maybeText.exactOptional().describe("Only for a token with the scope `read`."),
};

const readiness = z
  .object({
    status: z.enum(["ready", "degraded", "unavailable"]),
    database: z.object(check),
    queue: z.object({ ...check, backlog: count.nullable().describe("Messages in it.") }),
    mlflow: z.object({
      ...check,
      state: z.enum(["ok", "down", "off"]),
      tracking_uri: z.string().exactOptional().describe("Likewise."),
      breaker: z.enum(BREAKER_STATES),
      alarm: z.boolean().describe("Whether it looks like a wrong configuration."),
    }),
  })
  .meta({ id: "Ready" });
export type Readiness = z.output<typeof readiness>;

const exposition = z
  .string()
  .meta({ id: "Exposition", description: "Prometheus' text format, version 0.0.4." });

/** How the relay fares: for those that watch it. */
export const observe = resource("Health and metrics", "How the relay fares.", {
  getHealth: {
    at: "GET /health",
    summary: "The Worker runs",
    scope: null,
    answers: ok("It runs.", health),
  },
  getReady: {
    at: "GET /ready",
    summary: "Database, queue and MLflow, each with its state",
    description: "With a token of the scope `read` also the last errors and MLflow's address.",
    scope: null,
    answers: {
      200: { description: "Events can be kept.", schema: readiness },
      503: {
        description: "No event can be kept: neither in the database nor in the queue.",
        schema: readiness,
      },
    },
    refusals: [401, 403, 429],
  },
  getMetrics: {
    at: "GET /metrics",
    summary: "Figures for Prometheus",
    description: "Give Prometheus a token with the scope `read` as `authorization.credentials`.",
    scope: "read",
    query: {},
    answers: {
      200: { description: "The figures, each with its HELP.", type: PROMETHEUS_TYPE, schema: exposition },
    },
  },
});
