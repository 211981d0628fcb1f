import { Hono } from "hono";
import { HttpFailure } from "../errors.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { failurePage } from "./errors.tsx";
import { experimentPage } from "./pages/experiment.tsx";
import { experimentsPage } from "./pages/experiments.tsx";
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

dashboardApp.onError((error, c) => {
  if (error instanceof HttpFailure) return failurePage(c, error.failure);
  // What is not foreseen is the relay's own to log and to answer.
  throw error;
});
