import { bodyOf, type Field, type Json } from "./action-body.ts";
import { linesOf, refusalOf } from "./answer-lines.ts";
import { openDialog } from "./dialog.ts";

/** Actions: a form's fields go to the API as JSON, with the session's cookie; what would be done is shown first. */

const DONE = "relay:done";
type Said = { ok: boolean; lines: string[] };

/** Has every `form[data-action]` of the page ask the API, also those that come later. */
export function listenForActions(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.dataset.action === undefined) return;
    event.preventDefault();
    void act(form, form.dataset.action);
  });
}

async function act(form: HTMLFormElement, to: string): Promise<void> {
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
  const label = button?.textContent ?? "Do it";
  const busy = (is: boolean) => {
    if (button) button.disabled = is;
  };
  busy(true);
  try {
    const body = bodyOf(fieldsOf(form));
    if (form.dataset.plan !== undefined) {
      const plan = await send(to, { ...body, dry_run: true });
      if (!plan.ok) {
        await openDialog({ title: "It cannot be done", lines: plan.lines });
        return;
      }
      if (!(await openDialog({ title: "What would be done", lines: plan.lines, confirm: label }))) return;
    } else if (form.dataset.ask !== undefined) {
      if (!(await openDialog({ title: `${label}?`, lines: [form.dataset.ask], confirm: label }))) return;
    }
    await after(await send(to, body), to);
  } catch (error) {
    const why = error instanceof SyntaxError ? "The item is not JSON: " : "The relay did not answer: ";
    await openDialog({ title: "It was not done", lines: [why + String(error)] });
  } finally {
    busy(false);
  }
}

/** A token's text must be seen; else the page is read anew, and says what was done. */
async function after(said: Said, to: string): Promise<void> {
  if (!said.ok) {
    await openDialog({ title: "It was not done", lines: said.lines });
    return;
  }
  if (to === "POST /api/ops/tokens") await openDialog({ title: "Made", lines: said.lines });
  else sessionStorage.setItem(DONE, JSON.stringify(said.lines));
  location.reload();
}

/** Says at the top of the page what the last action did. */
export function sayWhatWasDone(): void {
  const stored = sessionStorage.getItem(DONE);
  if (stored === null) return;
  sessionStorage.removeItem(DONE);
  const lines: string[] = JSON.parse(stored);
  const note = document.createElement("div");
  note.className = "done";
  note.setAttribute("role", "status");
  note.tabIndex = -1;
  for (const line of lines) note.append(Object.assign(document.createElement("p"), { textContent: line }));
  document.querySelector("main")?.prepend(note);
  note.focus();
}

async function send(to: string, body: { [name: string]: Json }): Promise<Said> {
  const [method = "POST", path = ""] = to.split(" ");
  const response = await fetch(path, {
    method,
    headers: { accept: "application/json", "content-type": "application/json" },
    ...(method === "DELETE" ? {} : { body: JSON.stringify(body) }),
  });
  const answer: Json = await response.json().catch(() => null);
  return { ok: response.ok, lines: response.ok ? linesOf(answer) : refusalOf(answer) };
}

function fieldsOf(form: HTMLFormElement): Field[] {
  return [...form.elements].flatMap((element) => {
    const isField =
      element instanceof HTMLInputElement ||
      element instanceof HTMLTextAreaElement ||
      element instanceof HTMLSelectElement;
    if (!isField || element.name === "") return [];
    if (element instanceof HTMLInputElement && element.type === "checkbox" && !element.checked) return [];
    const { json, list } = element.dataset;
    const as =
      json !== undefined
        ? "json"
        : list !== undefined
          ? "list"
          : element.type === "number"
            ? "number"
            : "text";
    return [{ name: element.name, value: element.value, as } as const];
  });
}
