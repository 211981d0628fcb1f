import { sha256 } from "../store/ops/tokens.ts";

/**
 * The page at `/`, to which MLflow's clients point at the end of a run: where the run is, here and in MLflow. It says
 * nothing by itself; what it shows it asks for with the reader's own token.
 */

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; font: 15px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.4rem; }
input { width: 20rem; max-width: 100%; }
pre { overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; }
`;

/** The reader's token stays in the page: it is kept nowhere. */
export const PAGE_SCRIPT = `"use strict";
const byId = (id) => document.getElementById(id);
const [, experiment, run] = /^#\\/experiments\\/([^/?]+)(?:\\/runs\\/([^/?]+))?/.exec(location.hash) ?? [];
const [what, id] = run ? ["Run", run] : ["Experiment", experiment];
const api = "/api/2.0/mlflow/";
const question = run ? "runs/get?run_id=" : "experiments/get?experiment_id=";
if (id) {
  byId("what").textContent = what + " " + decodeURIComponent(id);
  byId("ask").hidden = false;
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    show().catch((error) => say(String(error)));
  });
}
function say(text) {
  byId("said").textContent = text;
}
async function get(path) {
  const headers = { authorization: "Bearer " + byId("token").value.trim() };
  const response = await fetch(path, { headers });
  return { ok: response.ok, body: await response.json() };
}
async function show() {
  byId("link").hidden = true;
  const asked = await get(api + question + id);
  say(JSON.stringify(asked.body, null, 2));
  if (!asked.ok || !run) return;
  const [trial, ready] = await Promise.all([get("/api/trials/" + id), get("/ready")]);
  const { info } = asked.body.run;
  const there = trial.ok
    ? [trial.body.mlflow_experiment_id, trial.body.mlflow_run_id]
    : [info.experiment_id, info.run_id];
  const server = ready.body.mlflow && ready.body.mlflow.tracking_uri;
  if (!there[1] || !/^https?:/.test(server)) return;
  const [at, name] = there.map(encodeURIComponent);
  byId("mlflow").href = server + "/#/experiments/" + at + "/runs/" + name;
  byId("link").hidden = false;
}
`;

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trial Relay</title>
<style>${STYLE}</style>
<script src="/page.js" defer></script>
</head>
<body>
<h1 id="what">Trial Relay</h1>
<p>What MLflow's clients log through the relay is here at once, and in MLflow as soon as it takes it.
What there is to ask is at <a href="/docs">/docs</a>.</p>
<form id="ask" hidden>
<p><label>A token that may read <input id="token" type="password" autocomplete="off" required></label>
<button>Show</button></p>
</form>
<p id="link" hidden><a id="mlflow" rel="noreferrer">This run in MLflow</a></p>
<pre id="said"></pre>
</body>
</html>
`;

/** Nothing from elsewhere, no script but the page's own, and nobody puts it into a frame. */
export async function pagePolicy(): Promise<string> {
  const style = (await sha256(STYLE)).toBase64();
  return `default-src 'none'; script-src 'self'; style-src 'sha256-${style}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
