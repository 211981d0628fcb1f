import type { Verified } from "../../../answers/report.ts";
import { verdictWords } from "../lib/verdict-words.ts";

/** The button that has a trial read back from MLflow. What it found stands apart from what is kept fresh. */
export function listenForVerify(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[data-verify]") : null;
    if (button instanceof HTMLButtonElement) void verify(button, button.dataset.verify ?? "");
  });
}

async function verify(button: HTMLButtonElement, trial: string): Promise<void> {
  const output = document.querySelector("#verdict");
  const say = (words: string) => {
    if (output) output.textContent = words;
  };
  button.disabled = true;
  say("Reading it back…");
  try {
    const response = await fetch(`/api/ops/trials/${encodeURIComponent(trial)}/verify`, { method: "POST" });
    const answer: Verified & { detail?: string } = await response.json();
    say(response.ok ? verdictWords(answer) : (answer.detail ?? `The relay answers ${response.status}.`));
  } catch {
    say("The relay could not be asked.");
  } finally {
    button.disabled = false;
    button.focus();
  }
}
