/** Says when something of the page could not be refreshed, until it was. */
export function sayWhatIsStale(): void {
  const stale = new Set<string>();
  const note = document.createElement("p");
  note.className = "stale";
  note.setAttribute("role", "status");
  document.body.append(note);
  document.addEventListener("relay:refreshed", ({ detail: { url, isWell } }) => {
    if (isWell) stale.delete(url);
    else stale.add(url);
    const words = stale.size === 0 ? "" : "This page could not be refreshed. It is tried again by itself.";
    if (note.textContent !== words) note.textContent = words;
  });
}
