const SAID_MS = 1_500;

/** Gives each `[data-copy]` a button that copies its text, or the text of its attribute; also what comes with a refresh. */
export function addCopyButtons(): void {
  add();
  document.addEventListener("relay:fresh", add);
}

function add(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-copy]:not(:has(> button.copy))")) {
    const text = element.dataset.copy || element.textContent || "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      void navigator.clipboard.writeText(text).then(() => {
        button.textContent = "Copied";
        setTimeout(() => {
          button.textContent = "Copy";
        }, SAID_MS);
      });
    });
    element.append(button);
  }
}
