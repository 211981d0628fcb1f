import { sql } from "drizzle-orm";
import { LOGGED_MODELS_TAG, PARENT_TAG } from "../../mlflow/tags.ts";
import { tags } from "../schema/index.ts";

/** A tag's value as MLflow is to have it, which knows the run, and the one above it, by its own ids. */
export const IN_MLFLOW = sql<string>`case ${tags.key}
  when ${PARENT_TAG} then coalesce((select p.mlflow_run_id from streams p where p.key = ${tags.value}), ${tags.value})
  when ${LOGGED_MODELS_TAG} then coalesce((select replace(${tags.value}, '"' || s.key || '"', '"' || s.mlflow_run_id || '"')
    from streams s where s.id = ${tags.streamId}), ${tags.value})
  else ${tags.value} end`.as("value");

/** Whether a tag is for MLflow: one by which the relay knows its own runs there, which a client copied, is not. */
export const IS_FOR_MLFLOW = sql`${tags.key} not glob 'relay.*'`;
