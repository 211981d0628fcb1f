import { Hono } from "hono";
import { HttpFailure } from "../errors.ts";
import { NotModified } from "../routes/door/conditional.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { failurePage } from "./errors.tsx";
import { comparePage } from "./pages/compare.tsx";
import { deliveryPages } from "./pages/delivery/app.tsx";
import { experimentPage } from "./pages/experiment.tsx";
import { experimentsPage } from "./pages/experiments.tsx";
import { modelRunPage } from "./pages/model-run.tsx";
import { modelRunsPage } from "./pages/model-runs.tsx";
import { runPage } from "./pages/run.tsx";
import { trialPage } from "./pages/trial/trial.tsx";
import { signInPages } from "./session/sign-in.tsx";

/** The dashboard: pages made here, with scripts of its own and nothing from elsewhere. */
export const dashboardApp = new Hono<AppEnv>({ strict: false });

dashboardApp.route("/", signInPages);
dashboardApp.route("/", modelRunsPage);
dashboardApp.route("/", trialPage);
dashboardApp.route("/", experimentsPage);
dashboardApp.route("/", experimentPage);
dashboardApp.route("/", runPage);
dashboardApp.route("/", modelRunPage);
dashboardApp.route("/", comparePage);
dashboardApp.route("/delivery", deliveryPages);

dashboardApp.onError((error, c) => {
  if (error instanceof NotModified) return c.body(null, 304);
  if (error instanceof HttpFailure) return failurePage(c, error.failure);
  // What is not foreseen is the relay's own to log and to answer.
  throw error;
});
