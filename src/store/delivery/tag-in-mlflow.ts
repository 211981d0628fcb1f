import { sql } from "drizzle-orm";
import { PARENT_TAG } from "../../mlflow/tags.ts";
import { tags } from "../schema/index.ts";

/** A tag's value as MLflow is to have it, which knows the run above by its own id. */
export const IN_MLFLOW = sql<string>`iif(${tags.key} = ${PARENT_TAG},
  coalesce((select p.mlflow_run_id from streams p where p.key = ${tags.value}), ${tags.value}), ${tags.value})`.as(
  "value",
);

/** Whether a tag is for MLflow: one by which the relay knows its own runs there, which a client copied, is not. */
export const IS_FOR_MLFLOW = sql`${tags.key} not glob 'relay.*'`;
