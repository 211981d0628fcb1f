import { routes } from "../route.ts";
import { backfill } from "./backfill.ts";
import { readBack } from "./contract.ts";
import { verifyModelRun, verifyTrial } from "./verify.ts";

export const readBackRoutes = routes(readBack, { verifyTrial, verifyModelRun, backfill });
