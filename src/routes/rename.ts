import { Hono } from "hono";
import { experimentName } from "../domain/fields.ts";
import { HttpFailure } from "../errors.ts";
import { renameExperiment } from "../relay/rename-experiment.ts";
import { readExperiment } from "../store/read-mirror.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readJsonBody } from "./json-body.ts";
import { found } from "./query.ts";

const RETRY_AFTER_SECONDS = 5;

/** `PATCH /api/experiments/:id`: renames an experiment, here and in MLflow. */
export const rename = new Hono<AppEnv>().patch("/:id", requireScope("admin"), async (c) => {
  const { relay } = c.var;
  const id = c.req.param("id");
  const { name } = await readJsonBody(c, { name: experimentName });
  found(await readExperiment(relay.db, id), `experiment ${id}`);
  const renamed = await renameExperiment(relay, id, name);
  if (renamed.kind === "refused") throw new HttpFailure({ kind: "conflict", detail: renamed.detail });
  if (renamed.kind === "later") {
    const { detail } = renamed;
    throw new HttpFailure({ kind: "unavailable", detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
  relay.log.info("an experiment was renamed by an operator", { experiment_id: id, name });
  return c.json(found(await readExperiment(relay.db, id), `experiment ${id}`));
});
