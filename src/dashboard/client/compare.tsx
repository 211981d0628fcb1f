import { render } from "hono/jsx/dom";
import { CompareApp, type CompareData } from "./compare/app.tsx";

/** The charts and tables of `/compare`. */

const place = document.getElementById("compare");
const data: CompareData = JSON.parse(document.getElementById("data")?.textContent ?? "null");
if (place) render(<CompareApp {...data} />, place);
