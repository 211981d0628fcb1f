import { buildDashboard } from "./lib/dashboard-build.ts";

/** `npm run build`, and what wrangler runs before it bundles the Worker. */
await buildDashboard();
