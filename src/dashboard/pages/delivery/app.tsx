import { Hono } from "hono";
import type { AppEnv } from "../../../routes/door/context.ts";
import { blockedPage } from "./blocked.tsx";
import { conflictsPage } from "./conflicts.tsx";
import { deadLettersPage } from "./dead-letters.tsx";
import { jobsPage } from "./jobs.tsx";
import { overviewPage } from "./overview.tsx";
import { passesPage } from "./passes.tsx";
import { refusalsPage } from "./refusals.tsx";
import { tokensPage } from "./tokens.tsx";

/** `/delivery`: what is under way to MLflow, what stands in its way, and what an operator can do. */
export const deliveryPages = new Hono<AppEnv>({ strict: false });

for (const pages of [
  overviewPage,
  blockedPage,
  deadLettersPage,
  refusalsPage,
  conflictsPage,
  jobsPage,
  passesPage,
  tokensPage,
])
  deliveryPages.route("/", pages);
