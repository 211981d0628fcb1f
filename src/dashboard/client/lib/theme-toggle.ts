/** The button for light and dark. What the system prefers needs no note. */
export function listenForTheme(): void {
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
    const system = prefersDark.matches ? "dark" : "light";
    const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    if (next === system) {
      localStorage.removeItem("theme");
      delete root.dataset.theme;
    } else {
      localStorage.setItem("theme", next);
      root.dataset.theme = next;
    }
    document.dispatchEvent(new CustomEvent("relay:theme"));
  });
}
