import { sql } from "drizzle-orm";
import { PARENT_TAG } from "../../mlflow/tags.ts";
import { tags } from "../schema/index.ts";

/** A tag's value as MLflow is to have it, which knows the run above by its own id. */
export const IN_MLFLOW = sql<string>`iif(${tags.key} = ${PARENT_TAG},
  coalesce((select p.mlflow_run_id from streams p where p.key = ${tags.value}), ${tags.value}), ${tags.value})`.as(
  "value",
);
