type Asked = { title: string; lines: readonly string[]; confirm?: string };

/**
 * Shows lines in a dialog, and waits for what the reader says.
 * @returns whether it was confirmed; without `confirm` there is nothing to confirm
 */
export function openDialog({ title, lines, confirm }: Asked): Promise<boolean> {
  const dialog = document.createElement("dialog");
  const heading = Object.assign(document.createElement("h2"), { textContent: title, id: "asked" });
  const list = document.createElement("ul");
  for (const line of lines) list.append(Object.assign(document.createElement("li"), { textContent: line }));
  const form = document.createElement("form");
  form.method = "dialog";
  form.append(choice(confirm === undefined ? "Close" : "Leave it", "no"));
  if (confirm !== undefined) form.append(choice(confirm, "yes"));
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(heading, list, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}

function choice(label: string, value: string): HTMLButtonElement {
  const button = Object.assign(document.createElement("button"), { textContent: label, value });
  if (value === "yes") button.className = "primary";
  return button;
}
