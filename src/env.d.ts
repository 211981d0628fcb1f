/** Bindings that a deployment may have, beside those of wrangler.toml. */
interface Env {
  /** A VPC service of Workers VPC: it carries the calls to an MLflow in a private network. */
  MLFLOW_VPC?: Fetcher;
}
