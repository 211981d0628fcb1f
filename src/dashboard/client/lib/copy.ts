const SAID_MS = 1_500;

/** Gives each `[data-copy]` a button that copies its text, or the text of its attribute. */
export function addCopyButtons(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-copy]")) {
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
