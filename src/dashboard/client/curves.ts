import { CurvesPanel } from "./curves/panel.ts";

/**
 * Draws the curves of the trials and runs that `<section id="curves" data-trials="a,b" data-runs="c">` names. Who
 * changes the names sends it the event `relay:sources`.
 */
const section = document.querySelector<HTMLElement>("#curves");
if (section) {
  let panel = CurvesPanel.mount(section);
  section.addEventListener("relay:sources", () => {
    panel.close();
    panel = CurvesPanel.mount(section);
  });
}
