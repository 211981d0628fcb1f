import { render } from "hono/jsx/dom";
import { type AppData, TrialsApp } from "./trials/app.tsx";

/** The table of `/model-runs/:id`; until it is there the rows of the server's own table are. */

const place = document.getElementById("trials");
const data: AppData = JSON.parse(document.getElementById("data")?.textContent ?? "null");
if (place) render(<TrialsApp {...data} />, place);
