/** How the relay stands with MLflow, in a line at the top of every page. */

export type Standing = {
  mlflow: "well" | "away" | "off";
  behind: number;
  oldest_at: string | null;
  troubles: number;
};

/** What the line says, and whether somebody should look. `now` in epoch milliseconds. */
export function statusLine({ mlflow, behind, oldest_at, troubles }: Standing, now: number) {
  const lag = oldest_at === null ? 0 : Math.max(0, now - Date.parse(oldest_at));
  const waits = behind === 0 ? "" : `${behind} behind${lag >= NOTICED_MS ? ` since ${inWords(lag)}` : ""}`;
  const parts = [
    ...(mlflow === "away" ? ["MLflow is away"] : mlflow === "off" ? ["MLflow is off"] : []),
    ...(waits === "" ? [] : [waits]),
    ...(troubles > 0 ? [`${troubles} to look at`] : []),
  ];
  const kind =
    mlflow === "away" || troubles > 0 ? "bad" : behind > 0 || mlflow === "off" ? "waiting" : "good";
  return { text: parts.join(", ") || "MLflow has everything", kind };
}

/** What has waited for less is on its way. */
const NOTICED_MS = 10_000;

function inWords(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h`;
}
