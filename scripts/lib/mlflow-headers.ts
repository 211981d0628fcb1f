import * as z from "zod";

/** The request headers with which MLflow lets us in, from the variables that the relay itself uses. */
export function mlflowHeaders(vars: Record<string, string | undefined>): Record<string, string> {
  const {
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password,
  } = vars;
  const extra = z.record(z.string(), z.string()).parse(JSON.parse(vars.MLFLOW_EXTRA_HEADERS || "{}"));
  if (token) return { ...extra, authorization: `Bearer ${token}` };
  if (user)
    return {
      ...extra,
      authorization: `Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}`,
    };
  return extra;
}
